import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { IpAddress, Subnet } from "../../../core/wire/address.ts";
import { assert } from "../../support/assert.ts";

const parse = (text: string) => IpAddress.parse(text)?.toString();

describe("IpAddress", () => {
  // The recommendations of RFC 5952 4 and 5, each with its own example.
  test.each([
    ["2001:0db8::0001", "2001:db8::1"],
    ["2001:db8:0:0:0:0:2:1", "2001:db8::2:1"],
    ["2001:db8:0:1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:db8::1:1:1:1:1", "2001:db8:0:1:1:1:1:1"],
    ["2001:0:0:1:0:0:0:1", "2001:0:0:1::1"],
    ["2001:db8:0:0:1:0:0:1", "2001:db8::1:0:0:1"],
    ["2001:DB8::AAAA", "2001:db8::aaaa"],
    ["::", "::"],
    ["::1", "::1"],
    ["1::", "1::"],
    ["0:0:0:0:0:0:0:0", "::"],
    ["fe80::1:2:3:4", "fe80::1:2:3:4"],
    ["64:ff9b::192.0.2.33", "64:ff9b::c000:221"],
    ["[fd00::2]", "fd00::2"],
    ["10.0.0.1", "10.0.0.1"],
    ["255.255.255.255", "255.255.255.255"],
    ["0.0.0.0", "0.0.0.0"],
    ["::ffff:10.0.0.1", "10.0.0.1"],
  ])("parse and toString make %s into %s (RFC 5952 4)", (text, expected) => {
    expect(parse(text)).toBe(expected);
  });

  // Forms that other parsers interpret differently, or reject, are refused.
  test.each([
    "",
    "1.2.3",
    "1.2.3.4.5",
    "1.2.3.256",
    "01.2.3.4",
    "1.2.3.0x4",
    " 1.2.3.4",
    "1.2.3.4 ",
    "1..3.4",
    "-1.2.3.4",
    ":",
    ":::",
    "1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:8:9",
    "1:2:3:4:5:6:7::8",
    "1::2::3",
    "12345::",
    "g::",
    "fe80::1%eth0",
    ":1:2:3:4:5:6:7",
    "1:2:3:4:5:6:7:",
    "::1.2.3",
    "1.2.3.4::",
    "::1.2.3.4:1",
    "[1.2.3.4",
    "[::1",
    "localhost",
  ])("parse refuses %j", (text) => {
    expect(IpAddress.parse(text)).toBe(undefined);
  });

  // RFC 4291 2.2: brackets are for IPv6 only.
  test("parse refuses an IPv4 address in brackets", () => {
    expect(IpAddress.parse("[1.2.3.4]")).toBe(undefined);
  });

  // Round trip for addresses with many and few zero groups.
  test("parse reverses toString, and read reverses write", () => {
    const random = seededRandom(3);
    const word = () => random.uint32() & (random.fraction() < 0.5 ? 0xffff : -1);
    for (let i = 0; i < 5000; i++) {
      const zeroes = random.uint32();
      const words = [0, 1, 2, 3].map((bit) => zeroes & (1 << bit) ? 0 : word());
      const [w0, w1, w2, w3] = words as [number, number, number, number];
      const address = i % 2 === 0 ? new IpAddress(w0, w1, w2, w3) : IpAddress.v4(w3);
      assert(IpAddress.parse(address.toString())!.equals(address), `${address} is read again`);
      const bytes = new Uint8Array(20);
      const length = address.write(bytes, 3);
      assert(length === (address.isV4 ? 4 : 16), `${address} has its length`);
      const read = address.isV4 ? IpAddress.readV4(bytes, 3) : IpAddress.readV6(bytes, 3);
      assert(read.equals(address), `the bytes of ${address} are read again`);
    }
  });

  // Addresses that can be the peer of a connection (RFC 9293 3.9.2.3).
  test.each([
    ["10.0.0.1", true],
    ["0.0.0.0", false],
    ["224.0.0.1", false],
    ["239.255.255.255", false],
    ["240.0.0.1", false],
    ["255.255.255.255", false],
    ["0.1.2.3", false],
    ["127.0.0.1", false],
    ["127.255.255.255", false],
    ["223.255.255.255", true],
    ["::", false],
    ["::1", false],
    ["::2", true],
    ["::1:0:0", true],
    ["1::", true],
    ["ff02::1", false],
    ["fe80::1", true],
  ])("isUnicast of %s is %s (RFC 9293 3.9.2.3)", (text, expected) => {
    expect(IpAddress.parse(text)!.isUnicast).toBe(expected);
  });
});

describe("Subnet", () => {
  // The first and last address of a network, and their neighbors outside.
  test.each([
    ["10.7.0.2/24", ["10.7.0.0", "10.7.0.255"], ["10.6.255.255", "10.7.1.0", "::a07:1"]],
    ["10.0.0.0/8", ["10.255.255.255"], ["11.0.0.0", "9.255.255.255"]],
    ["10.0.0.1/32", ["10.0.0.1"], ["10.0.0.0", "10.0.0.2"]],
    ["0.0.0.0/0", ["1.2.3.4", "255.255.255.255"], ["::1"]],
    ["fd00::2/64", ["fd00::ffff:ffff:ffff:ffff"], ["fd00:0:0:1::", "fcff::"]],
    ["fd00::/9", ["fd7f::1"], ["fd80::"]],
    ["::/0", ["fd00::1"], ["1.2.3.4"]],
    ["fd00::1", ["fd00::1"], ["fd00::2"]],
  ])("%s contains its own addresses alone (RFC 4632)", (text, inside, outside) => {
    const subnet = Subnet.parse(text)!;
    for (const one of inside) expect(subnet.contains(IpAddress.parse(one)!)).toBe(true);
    for (const one of outside) expect(subnet.contains(IpAddress.parse(one)!)).toBe(false);
  });

  test.each([
    "10.0.0.1/33",
    "fd00::1/129",
    "10.0.0.1/",
    "10.0.0.1/-1",
    "10.0.0.1/8/8",
    "x/8",
    "/8",
  ])(
    "parse refuses %j",
    (text) => {
      expect(Subnet.parse(text)).toBe(undefined);
    },
  );

  // The last address of a network, unless it has two addresses or one (RFC 3021).
  test("isBroadcast is the network's last address (RFC 919)", () => {
    const broadcasts = (subnet: string, address: string) =>
      Subnet.parse(subnet)!.isBroadcast(IpAddress.parse(address)!);
    expect(broadcasts("10.7.0.2/24", "10.7.0.255")).toBe(true);
    expect(broadcasts("10.7.0.2/24", "10.7.1.255")).toBe(false);
    expect(broadcasts("10.7.0.2/24", "10.7.0.254")).toBe(false);
    expect(broadcasts("10.7.0.2/31", "10.7.0.3")).toBe(false);
    expect(broadcasts("10.7.0.2/32", "10.7.0.2")).toBe(false);
    expect(broadcasts("fd00::1/64", "fd00::ffff:ffff:ffff:ffff")).toBe(false);
  });

  // The first and last address of a network.
  test.each([
    ["10.90.7.2/16", "10.90.0.0", "10.90.255.255", false],
    ["10.90.0.0/16", "10.90.0.0", "10.90.255.255", true],
    ["0.0.0.0/0", "0.0.0.0", "255.255.255.255", true],
    ["10.0.0.0/30", "10.0.0.0", "10.0.0.3", true],
    ["10.0.0.0/31", "10.0.0.0", "10.0.0.1", false],
    ["10.0.0.0/32", "10.0.0.0", "10.0.0.0", false],
    ["fd00::1:2:3/64", "fd00::", "fd00::ffff:ffff:ffff:ffff", false],
    ["fd00::/64", "fd00::", "fd00::ffff:ffff:ffff:ffff", true],
    ["fd00::/127", "fd00::", "fd00::1", false],
    ["::/0", "::", "ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", true],
  ])("%s begins with %s and ends with %s (RFC 4632)", (text, network, last, isNetwork) => {
    const subnet = Subnet.parse(text)!;
    expect(subnet.network.toString()).toBe(network);
    expect(subnet.last.toString()).toBe(last);
    expect(subnet.isNetwork).toBe(isNetwork);
  });

  // Two networks overlap if one contains the other.
  test.each([
    ["10.90.0.0/16", "10.90.7.0/24", true],
    ["10.90.7.9/24", "10.90.7.2/32", true],
    ["10.90.7.0/24", "10.90.8.0/24", false],
    ["::/0", "10.0.0.0/8", false],
    ["::/0", "fd00::/64", true],
  ])("%s and %s overlap: %s", (one, other, expected) => {
    const [a, b] = [Subnet.parse(one)!, Subnet.parse(other)!];
    expect([a.overlaps(b), b.overlaps(a)]).toEqual([expected, expected]);
  });
});

describe("IpAddress.next", () => {
  // Carries propagate from word to word; an IPv4 address stays IPv4.
  test.each([
    ["10.0.0.255", "10.0.1.0"],
    ["255.255.255.255", "0.0.0.0"],
    ["fd00::ffff:ffff", "fd00::1:0:0"],
    ["fd00::ffff:ffff:ffff:ffff", "fd00:0:0:1::"],
    ["fd00:0:ffff:ffff:ffff:ffff:ffff:ffff", "fd00:1::"],
    ["ffff:ffff:ffff:ffff:ffff:ffff:ffff:ffff", "::"],
  ])("of %s is %s", (address, next) => {
    expect(IpAddress.parse(address)!.next.toString()).toBe(next);
  });
});
