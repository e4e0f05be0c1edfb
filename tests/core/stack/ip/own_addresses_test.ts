import { describe, expect, test } from "bun:test";
import { isOwnable, OwnAddresses } from "../../../../core/stack/ip/own_addresses.ts";
import { IpAddress, Subnet } from "../../../../core/wire/address.ts";

const ip = (text: string) => IpAddress.parse(text)!;
const net = (text: string) => Subnet.parse(text)!;

function own(addresses: readonly string[], excepted: readonly string[] = []): OwnAddresses {
  return new OwnAddresses(addresses.map(net), excepted.map(net));
}

describe("OwnAddresses", () => {
  // Excluded addresses, broadcast addresses and addresses outside the networks are not own.
  test.each([
    [
      ["10.90.0.0/16"],
      ["10.90.0.1"],
      ["10.90.0.0", "10.90.0.2", "10.90.0.255", "10.90.255.254"],
      ["10.90.0.1", "10.90.255.255", "10.89.255.255", "10.91.0.0", "::a5a:2"],
    ],
    [
      ["10.90.0.0/16", "10.90.7.2/24"],
      ["10.90.8.0/24"],
      ["10.90.7.2", "10.90.7.1", "10.90.9.0"],
      ["10.90.7.255", "10.90.8.0", "10.90.8.9"],
    ],
    [
      ["fd00:90::/64"],
      ["fd00:90::1"],
      ["fd00:90::", "fd00:90::2", "fd00:90::ffff:ffff:ffff:ffff"],
      ["fd00:90::1", "fd00:90:0:1::", "fd00:8f:ffff:ffff:ffff:ffff:ffff:ffff"],
    ],
    [
      ["0.0.0.0/0"],
      ["192.168.0.1"],
      ["1.2.3.4", "10.0.0.255", "192.168.0.2", "223.255.255.255", "169.254.169.254"],
      [
        "0.0.0.0",
        "0.1.2.3",
        "127.0.0.1",
        "127.255.255.255",
        "192.168.0.1",
        "224.0.0.1",
        "239.1.2.3",
        "240.0.0.1",
        "255.255.255.255",
        "fd00::1",
      ],
    ],
    [["::/0"], [], ["fd00::1", "2001:db8::1"], ["::", "::1", "ff02::1", "ff05::2", "10.0.0.1"]],
    [["10.0.0.2/24"], ["10.0.0.2"], ["10.0.0.2"], ["10.0.0.0", "10.0.0.1", "10.0.0.3"]],
    [["10.0.0.0/31", "fd00::/127"], [], ["10.0.0.0", "fd00::"], ["10.0.0.1", "fd00::1"]],
  ])("%j but %j", (addresses, excepted, inside, outside) => {
    const table = own(addresses, excepted);
    for (const text of inside) expect([text, table.has(ip(text))]).toEqual([text, true]);
    for (const text of outside) expect([text, table.has(ip(text))]).toEqual([text, false]);
  });

  // The address in the longest prefix that contains the peer; excluded addresses are not used.
  test.each([
    [["10.90.0.0/16"], ["10.90.0.1", "10.90.0.2"], "10.90.0.1", "10.90.0.3"],
    [["10.90.0.0/16"], [], "8.8.8.8", "10.90.0.1"],
    [["0.0.0.0/0"], ["10.0.0.1"], "10.0.0.1", "1.0.0.0"],
    [["0.0.0.0/0", "10.0.0.2/24"], ["10.0.0.1"], "10.0.0.1", "10.0.0.2"],
    [["10.7.0.2/24", "10.90.0.0/16"], [], "10.90.0.1", "10.90.0.1"],
    [["10.7.0.2/24", "10.90.0.0/16"], [], "1.1.1.1", "10.7.0.2"],
    [["10.90.0.0/30"], ["10.90.0.1", "10.90.0.2"], "10.90.0.1", undefined],
    [["fd00:90::/64"], ["fd00:90::1"], "fd00:90::1", "fd00:90::2"],
    [["fd00:90::/64"], [], "10.0.0.1", undefined],
  ])("of %j but %j, %s is reached from %s (RFC 6724)", (addresses, excepted, remote, source) => {
    expect(own(addresses, excepted).sourceFor(ip(remote))?.toString()).toBe(source);
  });

  // A part of a network is removed and added again; the rest is not affected.
  test("add and remove accept an address or a network", () => {
    const table = own(["10.90.0.0/16", "10.7.0.2/24"]);
    const has = (...texts: string[]) => texts.map((text) => table.has(ip(text)));
    table.remove(net("10.90.7.0/24"));
    table.remove(net("10.90.8.5"));
    expect(has("10.90.7.9", "10.90.8.5", "10.90.8.6")).toEqual([false, false, true]);
    table.add(net("10.90.7.0/24"));
    table.add(net("10.90.8.5/16"));
    expect(has("10.90.7.9", "10.90.8.5")).toEqual([true, true]);
    table.remove(net("10.7.0.2"));
    expect(has("10.7.0.2", "10.90.7.9")).toEqual([false, true]);
    table.remove(net("10.90.0.0/16"));
    expect(has("10.90.0.9", "10.90.7.9", "10.90.8.5")).toEqual([false, false, false]);
  });

  // A listener on a network needs at least one own address in it.
  test.each([
    ["10.90.7.0/24", true],
    ["10.0.0.0/8", true],
    ["10.91.0.0/16", false],
    ["10.90.8.0/24", false],
    ["10.7.0.0/24", true],
    ["0.0.0.0/0", true],
    ["::/0", false],
  ])("overlaps %s: %s", (text, expected) => {
    const table = own(["10.90.0.0/16", "10.7.0.2/24"], ["10.90.8.0/24"]);
    expect(table.overlaps(net(text))).toBe(expected);
  });

  // The address, or every address of the network, cannot be a host's.
  test.each([
    ["10.0.0.1/24", true],
    ["10.90.0.0/16", true],
    ["0.0.0.0/0", true],
    ["::/0", true],
    ["0.0.0.0", false],
    ["127.0.0.0/8", false],
    ["224.0.0.0/4", false],
    ["224.0.0.1/24", false],
    ["255.255.255.255", false],
    ["ff00::/16", false],
  ])("isOwnable of %s is %s", (text, expected) => {
    expect(isOwnable(net(text))).toBe(expected);
  });
});
