import { describe, expect, test } from "bun:test";
import type { RouteIntoStack } from "../../../plugins/shared/host_network.ts";
import { LoopGuard } from "../../../plugins/shared/loop_guard.ts";
import { CollectedLog } from "../../support/collected_log.ts";

const at = (port: number) => ({ hostname: "10.7.0.2", port });
const published = (port: number) => ({ hostname: "127.0.0.1", port });

/** Host port 8000 + n is published for port n of the stack. */
const ports: RouteIntoStack = (_, { port }) => port > 8000 ? at(port - 8000) : undefined;

/** Plugins of a process; their connections arrive at `from` and go to the published port of `to`. */
function setUp(routeIntoStack: RouteIntoStack = (...asked) => ports(...asked)) {
  const log = new CollectedLog();
  const newGuard = () => {
    const guard = new LoopGuard(routeIntoStack);
    const isRefused = (from: number, to: number, transport: "tcp" | "udp" = "tcp") => {
      try {
        const arrival = { transport, place: at(from), log: log.logger };
        guard.requireNoLoop(transport, published(to + 8000), arrival);
        return false;
      } catch {
        return true;
      }
    };
    return { guard, isRefused };
  };
  return { log, newGuard };
}

describe("LoopGuard", () => {
  // Logged once per target, refused each time.
  test("refuses a target that leads back to the listen address", () => {
    const { log, newGuard } = setUp();
    const { guard, isRefused } = newGuard();
    const arrival = { transport: "tcp", place: at(80), log: log.logger } as const;
    for (let i = 0; i < 3; i++) {
      expect(() => guard.requireNoLoop("tcp", published(8080), arrival)).toThrow(
        "127.0.0.1:8080 leads back to 10.7.0.2:80, which forwards to it",
      );
    }
    expect(isRefused(80, 81)).toBe(false);
    guard.requireNoLoop("udp", published(8080), arrival);
    guard.requireNoLoop("tcp", published(3000), arrival);
    expect(log.lines).toEqual(["warn target leads back to the address that forwards to it"]);
  });

  // Each target leads to the listen address of the other, which would loop forever.
  test("refuses targets that lead to each other's listen addresses", () => {
    const { isRefused } = setUp().newGuard();
    expect(isRefused(53, 54, "udp")).toBe(false);
    expect([isRefused(54, 54, "udp"), isRefused(54, 53, "udp")]).toEqual([true, true]);
    expect([isRefused(53, 54, "udp"), isRefused(53, 53, "udp")]).toEqual([false, true]);
  });

  // 80 -> 81 -> ... -> 80: the last of them is refused, however many there are, although each has
  // another target too.
  test.each([2, 3, 10])("refuses the target that closes a loop over %d plugins", (count) => {
    const { newGuard, log } = setUp();
    const guards = Array.from({ length: count }, newGuard);
    for (let round = 0; round < 2; round++) {
      const refused = guards.map(({ isRefused }, i) => isRefused(80 + i, 80 + (i + 1) % count));
      expect(refused).toEqual(guards.map((_, i) => i === count - 1));
      expect(guards.at(-1)!.isRefused(79 + count, 200)).toBe(false);
    }
    expect(log.lines).toEqual(["warn target leads back to the address that forwards to it"]);
  });

  // Two paths to the same target are not a loop, nor is a chain.
  test("refuses nothing that ends", () => {
    const { newGuard } = setUp();
    const guards = [0, 1, 2, 3].map(newGuard);
    expect(guards[0]!.isRefused(80, 81)).toBe(false);
    expect(guards[0]!.isRefused(80, 82)).toBe(false);
    expect(guards[1]!.isRefused(81, 83)).toBe(false);
    expect(guards[2]!.isRefused(82, 83)).toBe(false);
    expect(guards[3]!.isRefused(83, 84)).toBe(false);
  });

  // A published port may lead elsewhere by now, and a plugin may have been removed.
  test("forgets paths that no longer exist", () => {
    let leads = true;
    const { newGuard } = setUp((...asked) => leads ? ports(...asked) : undefined);
    const [first, second] = [newGuard(), newGuard()];
    expect(first.isRefused(80, 81)).toBe(false);
    expect(second.isRefused(81, 80)).toBe(true);
    leads = false;
    expect(second.isRefused(81, 80)).toBe(false);
    leads = true;
    expect(second.isRefused(81, 80)).toBe(true);
    first.guard.dispose();
    expect(second.isRefused(81, 80)).toBe(false);
    expect(first.isRefused(80, 81)).toBe(true);
  });

  // Beyond 1024 hops, the oldest one is forgotten.
  test("remembers 1024 hops", () => {
    const { newGuard } = setUp();
    const [first, second] = [newGuard(), newGuard()];
    first.isRefused(1, 2);
    for (let i = 0; i < 1023; i++) first.isRefused(1000 + i, 3);
    expect(second.isRefused(2, 1)).toBe(true);
    first.isRefused(5000, 3);
    expect(second.isRefused(2, 1)).toBe(false);
  });
});
