import { describe, expect, test } from "bun:test";
import { inEstablished } from "../../../support/dsl/builders.ts";

describe("handleTimeouts", () => {
  // Intervals of 0, which no schema accepts: the timer still waits for a millisecond.
  test("runs each timer at most once per call", () => {
    const t = inEstablished({
      tcp: { keepAlive: true, keepAliveIdleMs: 0, keepAliveIntervalMs: 0, keepAliveProbes: 255 },
    });
    const now = t.tcb.earliestTimer;
    t.wire.stack.handleTimeout(now);
    expect(t.tcb.earliestTimer).toBe(now + 1);
    expect(t.tcb.probes.keepAlives).toBe(1);
  });
});
