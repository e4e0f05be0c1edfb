import { describe, expect, test } from "bun:test";
import {
  allAddresses,
  isAddress,
  newAddress,
  queueLength,
  routeTo,
} from "../../../../adapters/links/tun/netlink.ts";
import { IpAddress, Subnet } from "../../../../core/wire/address.ts";

describe("newAddress", () => {
  // RTM_NEWADDR with NLM_F_ACK and NLM_F_EXCL; both attributes hold the address.
  test("adds an IPv4 address to an interface", () => {
    expect(newAddress(3, Subnet.parse("10.7.0.1/24")!).toHex()).toBe(
      "28000000" + "1400" + "0506" + "00000000" + "00000000" +
        "02" + "18" + "00" + "00" + "03000000" +
        "0800" + "0200" + "0a070001" + "0800" + "0100" + "0a070001",
    );
  });

  // IFA_F_NODAD makes it usable at once.
  test("adds an IPv6 address to an interface", () => {
    const address = "fd07" + "00".repeat(13) + "01";
    expect(newAddress(3, Subnet.parse("fd07::1/64")!).toHex()).toBe(
      "40000000" + "1400" + "0506" + "00000000" + "00000000" +
        "0a" + "40" + "02" + "00" + "03000000" +
        "1400" + "0200" + address + "1400" + "0100" + address,
    );
  });
});

describe("queueLength", () => {
  // RTM_SETLINK with IFLA_TXQLEN, 5000 (0x1388).
  test("sets an interface's queue length", () => {
    expect(queueLength(3, 5000).toHex()).toBe(
      "28000000" + "1300" + "0500" + "00000000" + "00000000" +
        "00000000" + "03000000" + "00".repeat(8) + "0800" + "0d00" + "88130000",
    );
  });
});

describe("routeTo", () => {
  // RTM_GETROUTE with the full prefix length.
  test("requests the route to an address", () => {
    expect(routeTo(IpAddress.parse("10.7.0.1")!).toHex()).toBe(
      "24000000" + "1a00" + "0100" + "00000000" + "00000000" +
        "02" + "20" + "00".repeat(10) + "0800" + "0100" + "0a070001",
    );
  });
});

describe("allAddresses", () => {
  // RTM_GETADDR as a dump of one family.
  test("requests the addresses of a family", () => {
    const header = "18000000" + "1600" + "0103" + "00000000" + "00000000";
    expect(allAddresses(IpAddress.parse("10.7.0.1")!).toHex()).toBe(header + "0200000000000000");
    expect(allAddresses(IpAddress.parse("fd07::1")!).toHex()).toBe(header + "0a00000000000000");
  });
});

describe("isAddress", () => {
  const v4 = Subnet.parse("10.7.0.1/24")!;
  const v6 = Subnet.parse("fd07::1/64")!;

  // Interface, family, prefix length and address have to match.
  test("compares an interface's address with the desired one", () => {
    for (const subnet of [v4, v6]) expect(isAddress(newAddress(3, subnet), 3, subnet)).toBe(true);
    expect(isAddress(newAddress(3, v4), 4, v4)).toBe(false);
    expect(isAddress(newAddress(3, v4), 3, v6)).toBe(false);
    expect(isAddress(newAddress(3, v4), 3, Subnet.parse("10.7.0.1/25")!)).toBe(false);
    expect(isAddress(newAddress(3, v4), 3, Subnet.parse("10.7.0.2/24")!)).toBe(false);
  });

  // On a point-to-point device IFA_ADDRESS is the peer's address (rtnetlink(7)).
  test("compares IFA_LOCAL if present", () => {
    const message = newAddress(3, v4);
    message.set([10, 7, 0, 9], 36);
    expect(isAddress(message, 3, v4)).toBe(true);
    expect(isAddress(message, 3, Subnet.parse("10.7.0.9/24")!)).toBe(false);
  });

  // A truncated message is not an address.
  test("rejects truncated messages", () => {
    const message = newAddress(3, v4);
    for (let length = 24; length < 32; length++) {
      expect(isAddress(message.slice(0, length), 3, v4)).toBe(false);
    }
  });
});
