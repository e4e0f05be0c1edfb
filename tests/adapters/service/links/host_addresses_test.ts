import { describe, expect, test } from "bun:test";
import {
  completeHostAddresses,
  warnOfHostAddresses,
} from "../../../../adapters/service/links/host_addresses.ts";
import { CollectedLog } from "../../../support/collected_log.ts";

describe("completeHostAddresses", () => {
  // The first address of each subnet that is not the stack's own.
  test.each([
    [["10.7.0.2/24"], ["10.7.0.1/24"]],
    [["10.7.0.1/24"], ["10.7.0.2/24"]],
    [["10.7.3.200/22"], ["10.7.0.1/22"]],
    [["10.7.0.1/24", "10.7.0.2/24"], ["10.7.0.3/24"]],
    [["10.0.0.1/30"], ["10.0.0.2/30"]],
    [["200.1.2.3/1"], ["128.0.0.1/1"]],
    [["fd07::2/64", "10.7.0.2/24"], ["fd07::1/64", "10.7.0.1/24"]],
    [["10.90.0.0/16", "10.90.0.1/16"], ["10.90.0.2/16"]],
    [["10.90.0.0/16", "fd00:90::/64"], ["10.90.0.1/16", "fd00:90::1/64"]],
    [["fd07:1:2:3:4::/48"], ["fd07:1:2::1/48"]],
  ])("of %j is %j", (addresses: string[], expected: string[]) => {
    expect(completeHostAddresses(addresses, [])).toEqual(expected);
  });

  // Both addresses are usable, since there is no network address (RFC 3021, RFC 6164).
  test("uses both addresses of a point-to-point link", () => {
    expect(completeHostAddresses(["10.0.0.0/31"], [])).toEqual(["10.0.0.1/31"]);
    expect(completeHostAddresses(["10.0.0.1/31"], [])).toEqual(["10.0.0.0/31"]);
    expect(completeHostAddresses(["fd07::1/127"], [])).toEqual(["fd07::/127"]);
  });

  // The given address, and a default only for the other subnet.
  test("adds a default only for subnets without an address", () => {
    expect(completeHostAddresses(["10.7.0.2/24", "fd07::2/64"], ["10.7.0.9/24"])).toEqual([
      "10.7.0.9/24",
      "fd07::1/64",
    ]);
  });

  // The first address of such a network cannot be the host's; an explicit address works.
  test("does not guess in a network that is not on a link", () => {
    for (const everything of ["0.0.0.0/0", "::/0", "0.0.0.0/1"]) {
      expect(() => completeHostAddresses([everything], []))
        .toThrow(
          `${everything} is not the subnet of a link: give the host's address with --host-address`,
        );
    }
    expect(completeHostAddresses(["0.0.0.0/0"], ["10.0.0.1/24"])).toEqual(["10.0.0.1/24"]);
  });

  // An anycast address is in no subnet of the link: any host address reaches it, the given one or
  // that of another subnet.
  test.each([
    [["10.53.0.1/32"], ["10.7.0.1/24"], ["10.7.0.1/24"]],
    [["10.53.0.1/32"], ["10.53.0.9/32"], ["10.53.0.9/32"]],
    [["fd53::1/128"], ["fd07::1/64"], ["fd07::1/64"]],
    [["10.53.0.1/32", "fd53::1/128"], ["fd07::1/64", "10.7.0.1/24"], ["fd07::1/64", "10.7.0.1/24"]],
    [["10.53.0.1/32", "10.7.0.2/24"], [], ["10.7.0.1/24"]],
    [["10.0.0.0/31", "10.0.0.1/31"], ["10.7.0.1/24"], ["10.7.0.1/24"]],
  ])("of %j with %j is %j", (addresses: string[], given: string[], expected: string[]) => {
    expect(completeHostAddresses(addresses, given)).toEqual(expected);
  });

  // The kernel would answer for the stack.
  test("requires addresses other than the stack's", () => {
    const fault =
      "--host-address: 10.7.0.2 is the stack's own address too (--address): give the host " +
      "another address of its network";
    expect(() => completeHostAddresses(["10.7.0.2/24"], ["10.7.0.2/24"])).toThrow(fault);
    expect(() => completeHostAddresses(["10.7.0.2/24"], ["10.7.0.1/24", "10.7.0.2/32"])).toThrow(
      fault,
    );
    // One address of a whole network may be the host's.
    expect(completeHostAddresses(["10.90.0.0/16"], ["10.90.0.7/16"])).toEqual(["10.90.0.7/16"]);
  });

  // A single address or a full subnet, and no host address of the same family.
  test("reports that there is no free address", () => {
    const message = "has no other address for the host: give one with --host-address";
    expect(() => completeHostAddresses(["10.7.0.2/32"], [])).toThrow(message);
    expect(() => completeHostAddresses(["10.7.0.2/32"], ["fd07::1/64"])).toThrow(message);
    expect(() => completeHostAddresses(["fd07::2/128", "10.7.0.2/24"], [])).toThrow(message);
    expect(() => completeHostAddresses(["10.0.0.1/30", "10.0.0.2/30"], [])).toThrow(message);
  });
});

describe("warnOfHostAddresses", () => {
  // The loopback address is the host's everywhere; a network is not.
  test("names an address that the host has", () => {
    const log = new CollectedLog();
    warnOfHostAddresses(["127.0.0.1/8", "127.0.0.0/8", "203.0.113.7/24"], log.logger);
    expect(log.lines).toEqual([
      "warn the host has an address of the stack and answers for it: choose another --address",
    ]);
  });
});
