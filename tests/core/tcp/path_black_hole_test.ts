import { describe, expect, test } from "bun:test";
import { stopTimer, TIMER } from "../../../core/tcp/timers/timers.ts";
import { inEstablished } from "../../support/dsl/builders.ts";
import type { Trace } from "../../support/dsl/trace.ts";

const SYN = { mss: 1460, sackPermitted: true };
const TEN_MINUTES = 600_000;

/** Number of timeouts until a segment of another size is sent, and that size. */
function timeoutsUntilSmaller(t: Trace): [number, number] {
  const size = t.tcb.sendMss;
  for (let timeouts = 1; timeouts < 20; timeouts++) {
    t.wire.advanceUntilSent(100_000);
    const sent = t.recvAll().at(-1)!;
    if (sent.text.length !== size) return [timeouts, sent.text.length];
  }
  throw new Error("the size does not change");
}

/** Sends a full segment; it and everything after it is lost. */
function silent(mtuCarried: boolean): Trace {
  const t = inEstablished({ profile: "internet", syn: SYN });
  if (mtuCarried) {
    t.write(1460);
    t.recvAll();
    t.send({ at: 10 });
  }
  t.write(1460);
  t.recvAll();
  // Tail loss probes are not the subject here.
  stopTimer(t.tcb, TIMER.TAIL_PROBE);
  return t;
}

describe("full segments that are dropped silently", () => {
  // No full segment has ever been delivered: after three timeouts a size that every tunnel carries
  // is tried, then the minimum.
  test("reduce the segment size after three timeouts (RFC 8899 4.3)", () => {
    const t = silent(false);
    expect(timeoutsUntilSmaller(t)).toEqual([3, 1240]);
    expect(timeoutsUntilSmaller(t)).toEqual([3, 512]);
  });

  // Full segments were delivered before, so the size is a less likely cause.
  test("reduce the segment size later if they were delivered before", () => {
    expect(timeoutsUntilSmaller(silent(true))).toEqual([6, 1240]);
  });

  // The minimum size is lost too, so the size was not the cause.
  test("are retransmitted at full size if small ones are lost too", () => {
    const t = silent(false);
    timeoutsUntilSmaller(t);
    timeoutsUntilSmaller(t);
    for (let i = 0; i < 3; i++) {
      t.wire.advanceUntilSent(100_000);
      t.recvAll();
    }
    expect(t.tcb.sendMss).toBe(1460);
  });

  // Small segments are delivered; after a while the full size is tried again.
  test("are tried again after ten minutes (RFC 8899 5.1.1)", () => {
    const t = silent(false);
    timeoutsUntilSmaller(t);
    t.send({ ack: 1461 });
    t.recvAll();
    expect(t.tcb.sendMss).toBe(1240);
    t.write(100);
    t.recvAll();
    t.send({});
    expect(t.tcb.sendMss).toBe(1240);
    t.after(TEN_MINUTES);
    t.write(100);
    t.recvAll();
    t.send({});
    expect(t.tcb.sendMss).toBe(1460);
  });
});
