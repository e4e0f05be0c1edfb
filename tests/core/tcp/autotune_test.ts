import { describe, expect, test } from "bun:test";
import { PLAIN } from "../../sim/application.ts";
import { QUIET } from "../../sim/scenario.ts";
import { PERFECT } from "../../sim/wire.ts";
import { World } from "../../sim/world.ts";
import { inEstablished } from "../../support/dsl/builders.ts";

const MIB = 1024 * 1024;
const INITIAL = 256 * 1024;

/** Runs a bulk transfer from the client; returns the final size of both buffers. */
function limitsAfter(delayMs: number, bytesPerMs: number, readPauseMs = 0) {
  const wire = { ...PERFECT, delayMs, bytesPerMs, queueBytes: 4 * MIB };
  const world = new World({
    ...QUIET,
    profiles: ["internet", "internet"],
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
  test("grow with the bandwidth-delay product up to their limit", () => {
    const { send, receive } = limitsAfter(50, 10_000);
    expect(receive).toBe(4 * MIB);
    expect(send).toBeGreaterThan(MIB);
    expect(send).toBeLessThanOrEqual(4 * MIB);
  });

  // 8 Mbit/s and 2 ms: two kilobytes are in flight.
  test("stay small on a path with a small bandwidth-delay product", () => {
    expect(limitsAfter(1, 1000).receive).toBe(INITIAL);
  });

  // The path is fast, but the reader is slow.
  test("stay small if the reader is slow", () => {
    expect(limitsAfter(50, 10_000, 20).receive).toBe(INITIAL);
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
