import { describe, expect, test } from "bun:test";
import { PLAIN } from "../../sim/application.ts";
import { QUIET } from "../../sim/scenario.ts";
import { PERFECT } from "../../sim/wire.ts";
import { World } from "../../sim/world.ts";
import { inEstablished } from "../../support/dsl/builders.ts";

const MIB = 1024 * 1024;
const INITIAL = 256 * 1024;
const LIMIT_MS = 30_000;

interface Transfer {
  readonly profile?: "local" | "internet";
  readonly delayMs: number;
  readonly bytesPerMs: number;
  readonly readPauseMs?: number;
}

/** Runs a bulk transfer from the client; returns the final size of both buffers. */
function limitsAfter({ profile = "internet", delayMs, bytesPerMs, readPauseMs = 0 }: Transfer) {
  const wire = { ...PERFECT, delayMs, bytesPerMs, queueBytes: 4 * MIB };
  const world = new World({
    ...QUIET,
    profiles: [profile, profile],
    conditions: [wire, wire],
    habits: [
      { ...PLAIN, total: 24 * MIB, writeMost: MIB },
      { ...PLAIN, total: 0, readMost: readPauseMs > 0 ? 10_000 : MIB, readPauseMs },
    ],
  }).start();
  const limits = { send: 0, receive: 0 };
  world.afterStep = () => {
    limits.send = Math.max(limits.send, world.client.tcb.send.limit);
    limits.receive = Math.max(limits.receive, world.server?.tcb.receiveLimit ?? 0);
  };
  world.run(20_000);
  return limits;
}

describe("buffers", () => {
  // 80 Mbit/s and 100 ms: a megabyte is in flight, so both sides need several.
  test.each(["local", "internet"] as const)(
    "grow with the bandwidth-delay product up to their limit, profile %s",
    (profile) => {
      const { send, receive } = limitsAfter({ profile, delayMs: 50, bytesPerMs: 10_000 });
      expect(receive).toBe(4 * MIB);
      expect(send).toBeGreaterThan(MIB);
      expect(send).toBeLessThanOrEqual(4 * MIB);
    },
    LIMIT_MS,
  );

  // 8 Gbit/s and 0.2 ms: 200 KB are in flight. With a queue there could be more, which would take
  // memory and overflow the processor's cache for nothing.
  test.each(["local", "internet"] as const)(
    "are at most 512 KiB on a fast path with a short round trip, profile %s",
    (profile) => {
      const limits = limitsAfter({ profile, delayMs: 0.1, bytesPerMs: 1_000_000 });
      expect(limits).toEqual({ send: MIB / 2, receive: MIB / 2 });
    },
    LIMIT_MS,
  );

  // The buffers of a faster path grow with the round trip: 8 Gbit/s for 2 ms are two megabytes.
  test.each(["local", "internet"] as const)(
    "hold what 8 Gbit/s can have in flight on a fast path, profile %s",
    (profile) => {
      const { send, receive } = limitsAfter({ profile, delayMs: 1, bytesPerMs: 1_000_000 });
      for (const limit of [send, receive]) {
        expect(limit).toBeGreaterThan(MIB);
        expect(limit).toBeLessThanOrEqual(2.2 * MIB);
      }
    },
    LIMIT_MS,
  );

  // 8 Mbit/s and 2 ms: two kilobytes are in flight.
  test("stay small on a path with a small bandwidth-delay product", () => {
    expect(limitsAfter({ delayMs: 1, bytesPerMs: 1000 }).receive).toBe(INITIAL);
  });

  // The path is fast, but the reader is slow.
  test("stay small if the reader is slow", () => {
    expect(limitsAfter({ delayMs: 50, bytesPerMs: 10_000, readPauseMs: 20 }).receive).toBe(INITIAL);
  });

  // Empty buffers hold no memory.
  test("of an idle connection hold no memory", () => {
    const t = inEstablished({ profile: "internet" });
    t.send({ data: 500 });
    t.read();
    t.recv({ at: 40, seq: 1, ack: 501 });
    t.write(500);
    t.recvAll();
    expect(t.tcb.send.ring.block.length).toBeGreaterThan(0);
    t.send({});
    expect(t.tcb.send.ring.block.length).toBe(0);
    expect(t.tcb.receive.isEmpty).toBe(true);
  });
});
