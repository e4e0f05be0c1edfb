import { describe, expect, test } from "bun:test";
import {
  bindingOf,
  formatListenAddress,
  parseListenAddress,
} from "../../../core/api/listen_address.ts";

describe("parseListenAddress", () => {
  // Each part in each form; the defaults are TCP and all addresses.
  test.each([
    [80, "tcp", undefined, 80, 80],
    ["80", "tcp", undefined, 80, 80],
    ["tcp/80", "tcp", undefined, 80, 80],
    ["udp/53", "udp", undefined, 53, 53],
    ["*", "tcp", undefined, 1, 65_535],
    ["udp/*", "udp", undefined, 1, 65_535],
    ["8000-8999", "tcp", undefined, 8000, 8999],
    ["10.90.7.2:80", "tcp", "10.90.7.2/32", 80, 80],
    ["10.90.7.0/24:8000-8999", "tcp", "10.90.7.0/24", 8000, 8999],
    ["udp/0.0.0.0/0:*", "udp", "0.0.0.0/0", 1, 65_535],
    ["0.0.0.0:7", "tcp", "0.0.0.0/0", 7, 7],
    ["[fd00::/64]:80", "tcp", "fd00::/64", 80, 80],
    ["[fd00::1]:*", "tcp", "fd00::1/128", 1, 65_535],
    ["[::]:1", "tcp", "::/0", 1, 1],
    [0, "tcp", undefined, 0, 0],
  ])("reads %j", (text, transport, subnet, firstPort, lastPort) => {
    const where = parseListenAddress(text);
    expect(where.transport as string).toBe(transport);
    expect(where.subnet?.toString()).toBe(subnet);
    expect([where.firstPort, where.lastPort]).toEqual([firstPort, lastPort]);
  });

  // One message for invalid text, with valid examples.
  test.each([
    "",
    "0",
    "65536",
    "1-65536",
    "8999-8000",
    "-80",
    "80-",
    "**",
    "http",
    "10.0.0.1",
    "10.0.0.1:",
    "10.0.0.256:80",
    "10.0.0.0/33:80",
    "fd00::1:80",
    "[10.0.0.1]:80",
    "[fd00::/129]:80",
    "[fd00::]/64:80",
    "sctp/80",
    "udp/",
    " 80",
  ])("refuses %j", (text) => {
    expect(() => parseListenAddress(text)).toThrow(/is not a listen address; write .*such as 80, /);
  });

  // Notations of other programs.
  test.each([
    ["udp:53", "udp/53"],
    ["53/udp", "udp/53"],
    [":80", "80"],
    ["TCP:[fd00::1]:80", "[fd00::1]:80"],
    ["udp://10.0.0.1:53", "udp/10.0.0.1:53"],
    ["10.0.0.1:53/udp", "udp/10.0.0.1:53"],
  ])("refuses %j and proposes %j", (text, meant) => {
    expect(() => parseListenAddress(text)).toThrow(`did you mean "${meant}"?`);
  });

  // It is ambiguous whether the address or its network is meant.
  test.each([
    ["10.90.7.2/24:80", "write 10.90.7.2 for that address or 10.90.7.0/24 for the network"],
    ["[fd00::1/64]:80", "write fd00::1 for that address or fd00::/64 for the network"],
  ])("refuses %j, an address within a network", (text, advice) => {
    expect(() => parseListenAddress(text)).toThrow(advice);
  });

  test.each([65_536, -1, 1.5, Number.NaN])("refuses the number %s", (port) => {
    expect(() => parseListenAddress(port)).toThrow(`${port} is not a port; use 1 to 65535`);
  });
});

describe("formatListenAddress", () => {
  // Different spellings have the same canonical form.
  test.each([
    ["tcp/80", "80"],
    ["1-65535", "*"],
    ["80-80", "80"],
    ["udp/10.0.0.1/32:53", "udp/10.0.0.1:53"],
    ["10.90.0.0/16:1-2", "10.90.0.0/16:1-2"],
    ["[fd00:0::/64]:*", "[fd00::/64]:*"],
    ["[FD00::1/128]:7", "[fd00::1]:7"],
    ["0.0.0.0:7", "0.0.0.0/0:7"],
  ])("of %j is %j", (text, shortest) => {
    expect(formatListenAddress(parseListenAddress(text))).toBe(shortest);
    expect(formatListenAddress(parseListenAddress(shortest))).toBe(shortest);
  });
});

describe("bindingOf", () => {
  // listen() has separate options for port and address.
  test("accepts ports and an address or network", () => {
    const { subnet, firstPort, lastPort } = bindingOf("8000-8999", "fd00::/64");
    expect(subnet?.toString()).toBe("fd00::/64");
    expect([firstPort, lastPort]).toEqual([8000, 8999]);
    expect(bindingOf(0)).toEqual({ subnet: undefined, firstPort: 0, lastPort: 0 });
    expect(() => bindingOf("http")).toThrow(`"http" is not a port`);
    expect(() => bindingOf(80, "name")).toThrow(`"name" is not an IP address or a network`);
  });
});
