import { describe, expect, test } from "bun:test";
import { IpAddress } from "../../../core/wire/address.ts";
import {
  BROADCAST_MAC,
  emitEthernetHeader,
  formatMac,
  isGroupMac,
  isStationMac,
  multicastMac,
  parseMac,
  readEtherType,
  readMac,
} from "../../../core/wire/ethernet.ts";

describe("a MAC address", () => {
  // 48 bits as a number, in both directions.
  test.each(["00:00:00:00:00:00", "02:00:5e:10:00:01", "ff:ff:ff:ff:ff:ff"])(
    "%s is read",
    (text) => {
      expect(formatMac(parseMac(text)!)).toBe(text);
    },
  );

  // Other forms are refused.
  test.each(["", "02:00:5e:10:00", "02:00:5e:10:00:01:02", "02:00:5e:10:00:0g", "2:0:5e:1:0:1"])(
    "%j is not a MAC address",
    (text) => expect(parseMac(text)).toBeUndefined(),
  );

  // The lowest bit of the first byte (IEEE 802).
  test("is individual or a group address", () => {
    const macs = ["02:00:00:00:00:01", "01:00:5e:00:00:fb", "00:00:00:00:00:00"].map(parseMac);
    expect(macs.map((mac) => isGroupMac(mac!))).toEqual([false, true, false]);
    expect(macs.map((mac) => isStationMac(mac!))).toEqual([true, false, false]);
    expect(isGroupMac(BROADCAST_MAC)).toBe(true);
  });

  // 23 bits of an IPv4 group, 32 of an IPv6 group.
  test.each([
    ["224.0.0.251", "01:00:5e:00:00:fb"],
    ["239.255.1.2", "01:00:5e:7f:01:02"],
    ["ff02::1:ff00:2", "33:33:ff:00:00:02"],
  ])("follows from the group %s (RFC 1112 6.4, RFC 2464 7)", (group, mac) => {
    expect(formatMac(multicastMac(IpAddress.parse(group)!))).toBe(mac);
  });
});

describe("an Ethernet header", () => {
  // Destination, source, type, in this order, directly before the payload.
  test("is parsed as it was written", () => {
    const bytes = new Uint8Array(20);
    emitEthernetHeader(bytes, 16, 0x0200_0000_0002, 0x0200_0000_0001, 0x86dd);
    expect(bytes.toHex()).toBe("0000" + "020000000002" + "020000000001" + "86dd" + "00000000");
    expect([readMac(bytes, 2), readMac(bytes, 8)]).toEqual([0x0200_0000_0002, 0x0200_0000_0001]);
    expect(readEtherType(bytes, 2)).toBe(0x86dd);
  });
});
