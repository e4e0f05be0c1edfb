import { describe, expect, test } from "bun:test";
import {
  addDevice,
  addPort,
  MAX_KEPT,
  routeIntoStack,
} from "../../../adapters/host/stack_routes.ts";
import { Subnet } from "../../../core/wire/address.ts";

describe("routeIntoStack", () => {
  // Packets that the kernel routes into a device of this process arrive at the same address and
  // port.
  test("recognizes addresses routed to a device until it is removed", () => {
    const subnet = Subnet.parse("10.90.0.0/24")!;
    const forget = addDevice((address) => subnet.contains(address));
    const target = { hostname: "10.90.0.7", port: 80 };
    expect(routeIntoStack("tcp", target)).toEqual(target);
    expect(routeIntoStack("udp", target)).toEqual(target);
    expect(routeIntoStack("tcp", { hostname: "10.91.0.7", port: 80 })).toBe(undefined);
    expect(routeIntoStack("tcp", { hostname: "name", port: 80 })).toBe(undefined);
    forget();
    expect(routeIntoStack("tcp", target)).toBe(undefined);
  });

  // Asking the kernel takes as long as opening a connection, and every connection needs the answer, so it is cached.
  test("asks about the route to an address once a second", () => {
    let asked = 0;
    let isRouted = false;
    const forget = addDevice(() => {
      asked++;
      return isRouted;
    });
    const target = { hostname: "10.92.0.7", port: 80 };
    const ask = (now: number) => routeIntoStack("tcp", target, now) !== undefined;
    expect([ask(5000), ask(5001), ask(5999), asked]).toEqual([false, false, false, 1]);
    isRouted = true;
    expect([ask(5999), ask(6000), asked]).toEqual([false, true, 2]);
    forget();
    expect(ask(6001)).toBe(false);
  });

  // A client of `egress` chooses the addresses.
  test("keeps a bounded number of routes", () => {
    let asked = 0;
    const forget = addDevice(() => {
      asked++;
      return false;
    });
    const ask = (number: number) =>
      routeIntoStack("tcp", { hostname: `10.${number >> 8}.${number & 255}.1`, port: 80 }, 0);
    for (let number = 0; number < MAX_KEPT; number++) ask(number);
    ask(0);
    expect(asked).toBe(MAX_KEPT);
    ask(MAX_KEPT);
    ask(0);
    expect(asked).toBe(MAX_KEPT + 2);
    forget();
  });

  // A published port leads to another address; one on all addresses applies to each of the host's.
  test("recognizes published ports by transport, address and family", () => {
    const to = { hostname: "10.7.0.2", port: 80 };
    const forget = [
      addPort("tcp", { hostname: "127.0.0.1", port: 8080 }, to),
      addPort("udp", { hostname: "0.0.0.0", port: 5353 }, to),
      addPort("tcp", { hostname: "::", port: 8443 }, to),
    ];
    const back = (transport: "tcp" | "udp", hostname: string, port: number) =>
      routeIntoStack(transport, { hostname, port });
    expect(back("tcp", "127.0.0.1", 8080)).toEqual(to);
    expect(back("tcp", "::ffff:127.0.0.1", 8080)).toEqual(to);
    expect(back("udp", "127.0.0.1", 8080)).toBe(undefined);
    expect(back("tcp", "127.0.0.2", 8080)).toBe(undefined);
    expect(back("udp", "127.0.0.2", 5353)).toEqual(to);
    expect(back("udp", "192.0.2.1", 5353)).toBe(undefined);
    expect(back("udp", "::1", 5353)).toBe(undefined);
    expect([back("tcp", "::1", 8443), back("tcp", "127.0.0.1", 8443)]).toEqual([to, to]);
    // Names for loopback are recognized without a resolver (RFC 6761 6.3).
    for (const name of ["localhost", "LOCALHOST.", "a.localhost"]) {
      expect(back("tcp", name, 8080)).toEqual(to);
    }
    expect(back("tcp", "localhost.example", 8080)).toBe(undefined);
    for (const each of forget) each();
    expect(back("tcp", "127.0.0.1", 8080)).toBe(undefined);
  });
});
