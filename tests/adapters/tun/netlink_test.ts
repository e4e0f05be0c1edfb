import { describe, expect, test } from "bun:test";
import { newAddress, queueLength, routeTo } from "../../../adapters/tun/netlink.ts";
import { IpAddress, Subnet } from "../../../core/wire/address.ts";

describe("newAddress", () => {
  // RTM_NEWADDR, to be acknowledged and to be new; both attributes hold the address.
  test("gives an interface an IPv4 address", () => {
    expect(newAddress(3, Subnet.parse("10.7.0.1/24")!).toHex()).toBe(
      "28000000" + "1400" + "0506" + "00000000" + "00000000" +
        "02" + "18" + "00" + "00" + "03000000" +
        "0800" + "0200" + "0a070001" + "0800" + "0100" + "0a070001",
    );
  });

  // IFA_F_NODAD: it can be used without a wait.
  test("gives an interface an IPv6 address", () => {
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
  test("sets an interface's queue", () => {
    expect(queueLength(3, 5000).toHex()).toBe(
      "28000000" + "1300" + "0500" + "00000000" + "00000000" +
        "00000000" + "03000000" + "00".repeat(8) + "0800" + "0d00" + "88130000",
    );
  });
});

describe("routeTo", () => {
  // RTM_GETROUTE for the whole address.
  test("asks for the route to an address", () => {
    expect(routeTo(IpAddress.parse("10.7.0.1")!).toHex()).toBe(
      "24000000" + "1a00" + "0100" + "00000000" + "00000000" +
        "02" + "20" + "00".repeat(10) + "0800" + "0100" + "0a070001",
    );
  });
});
