import { describe, expect, test } from "bun:test";
import { ownLoss } from "../../../../core/tcp/recovery/loss_state.ts";
import { stopTimer, TIMER } from "../../../../core/tcp/timers/timers.ts";
import { inEstablished, type Setup } from "../../../support/dsl/builders.ts";
import type { Trace } from "../../../support/dsl/trace.ts";

const INTERNET: Setup = { profile: "internet", syn: { mss: 1000, sackPermitted: true } };
const STAMPED: Setup = {
  profile: "internet",
  syn: { mss: 1012, sackPermitted: true, timestamps: [5000, 0] },
};

/** Eight segments of 1,000 bytes are in flight. */
function eightSent(setup: Setup): Trace {
  const t = inEstablished(setup);
  t.write(8000);
  t.recvAll();
  return t;
}

/** Timestamps of the peer that echo the stack's timestamp of time `at`. */
function echoing(t: Trace, at: number): readonly [number, number] {
  const then = Math.floor(t.wire.now - t.wire.elapsed + at);
  return [t.peerTime + 20, (then + t.tcb.tsOffset) >>> 0];
}

describe("a spurious fast recovery", () => {
  // Three segments overtook the first, which was retransmitted; then its acknowledgement arrives
  // with the original's timestamp.
  test("is undone when the original's timestamp is echoed (RFC 3522 3.2)", () => {
    const t = eightSent(STAMPED);
    const { cwnd, ssthresh } = t.tcb.congestion;
    t.send({ at: 10, ack: 1, options: { timestamps: echoing(t, 0), sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    expect(t.tcb.loss.phase).toBe("fast");
    t.send({ at: 12, ack: 4001, options: { timestamps: echoing(t, 0) } });
    t.recvAll();
    expect(t.tcb.loss).toMatchObject({ phase: "open", spurious: 1 });
    expect(t.tcb.congestion.cwnd).toBeGreaterThanOrEqual(cwnd);
    expect(t.tcb.congestion.ssthresh).toBe(ssthresh);
  });

  // The timestamp of the retransmission is echoed: the loss was real.
  test("is not assumed when the retransmission's timestamp is echoed (RFC 3522 3.2)", () => {
    const t = eightSent(STAMPED);
    t.send({ at: 10, ack: 1, options: { timestamps: echoing(t, 0), sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    t.send({ at: 20, ack: 4001, options: { timestamps: echoing(t, 10) } });
    t.recvAll();
    expect(t.tcb.loss).toMatchObject({ phase: "fast", spurious: 0 });
  });

  // Without timestamps: the peer reports every retransmission as a duplicate.
  test("is undone when all retransmissions were duplicates (RFC 3708 3)", () => {
    const t = eightSent(INTERNET);
    const { cwnd, ssthresh } = t.tcb.congestion;
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 2001], [3001, 8001]] } });
    t.recv({ seq: 1, length: 1000 });
    t.recv({ seq: 2001, length: 1000 });
    // The originals arrive late, followed by the retransmissions.
    t.send({ at: 12, ack: 8001 });
    expect(t.tcb.congestion.ssthresh).toBeLessThan(ssthresh);
    t.send({ at: 20, ack: 8001, options: { sack: [[1, 1001]] } });
    expect(t.tcb.loss.spurious).toBe(0);
    t.send({ at: 20, ack: 8001, options: { sack: [[2001, 3001]] } });
    expect(t.tcb.loss.spurious).toBe(1);
    expect(t.tcb.congestion.cwnd).toBeGreaterThanOrEqual(cwnd);
    expect(t.tcb.congestion.ssthresh).toBe(ssthresh);
  });

  // Of two retransmitted segments, one was really lost.
  test("is not assumed when one of two was lost (RFC 3708 3)", () => {
    const t = eightSent(INTERNET);
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 2001], [3001, 8001]] } });
    t.recvAll();
    t.send({ at: 20, ack: 8001, options: { sack: [[1, 1001]] } });
    t.at(1000);
    expect(t.tcb.loss.spurious).toBe(0);
  });

  // The first gap is an old one: filling it says nothing about the second, which the current
  // recovery is for.
  test("is not inferred from the timestamp echo of another gap (RFC 7323 4.3)", () => {
    const t = eightSent(STAMPED);
    t.send({ at: 10, ack: 1, options: { timestamps: echoing(t, 0), sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    ownLoss(t.tcb).undo = { ...t.tcb.loss.undo!, firstLost: (t.iss + 5001) | 0, unreported: 1000 };
    t.send({ at: 12, ack: 4001, options: { timestamps: echoing(t, 0) } });
    t.recvAll();
    expect(t.tcb.loss.spurious).toBe(0);
  });
});

describe("a spurious timeout", () => {
  // Everything was delayed, not lost: after the timeout the originals are acknowledged, only one of
  // which was retransmitted.
  test("is undone when segments that were not retransmitted are acknowledged (RFC 5682 3)", () => {
    const t = eightSent(INTERNET);
    const { cwnd } = t.tcb.congestion;
    stopTimer(t.tcb, TIMER.TAIL_PROBE);
    t.wire.advanceUntilSent(3000);
    t.recv({ at: t.wire.elapsed, seq: 1, length: 1000 });
    expect(t.tcb.loss.phase).toBe("timeout");
    t.send({ ack: 3001 });
    expect(t.tcb.loss).toMatchObject({ phase: "open", spurious: 1 });
    expect(t.tcb.congestion.cwnd).toBeGreaterThanOrEqual(cwnd);
    t.recvNothing();
  });

  // The first segment and its retransmission are lost. The arrival of others, which were in a long
  // queue behind them, is no evidence of a spurious timeout.
  test("is not inferred during loss recovery (RFC 5682 2.1 step 1)", () => {
    const t = eightSent(INTERNET);
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    for (const phase of ["fast", "timeout"] as const) {
      t.wire.advanceUntilSent(3000);
      t.recv({ at: t.wire.elapsed, seq: 1, length: 1000 });
      expect(t.tcb.loss.phase).toBe(phase);
    }
    t.send({ ack: 1, options: { sack: [[1001, 5001]] } });
    expect(t.tcb.loss).toMatchObject({ phase: "timeout", spurious: 0 });
  });

  // Without SACK, later segments may have arrived long before: the loss was real.
  test("is not inferred without SACK (RFC 5682 2.1)", () => {
    const t = eightSent({ profile: "internet", syn: { mss: 1000 } });
    t.wire.advanceUntilSent(3000);
    t.recv({ at: t.wire.elapsed, seq: 1, length: 1000 });
    t.send({ ack: 8001 });
    expect(t.tcb.loss).toMatchObject({ phase: "open", spurious: 0 });
    expect(t.tcb.congestion.ssthresh).toBe(5600);
  });
});

describe("a segment overtaken by a retransmission", () => {
  // The retransmission fills the gap and has a newer timestamp. Segments sent before it that arrive
  // later are still accepted, since the path is known to reorder.
  test("is accepted although its timestamp is older (RFC 7323 5.3)", () => {
    const t = inEstablished(STAMPED);
    const at = (ago: number) => ({ timestamps: [t.peerTime - ago, 0] as const });
    t.send({ seq: 1001, data: 1000, options: at(0) });
    t.recv({ ack: 1 });
    t.send({ at: 50, seq: 1, data: 1000, options: at(0) });
    t.recv({ ack: 2001 });
    t.send({ seq: 2001, data: 1000, options: at(20) });
    expect(t.tcb.receive.readable).toBe(3000);
  });

  // The timestamp is from long ago.
  test("is dropped when its timestamp is far older (RFC 7323 5.3)", () => {
    const t = inEstablished(STAMPED);
    const at = (ago: number) => ({ timestamps: [t.peerTime - ago, 0] as const });
    t.send({ at: 1000, seq: 1001, data: 1000, options: at(0) });
    t.recv({ ack: 1 });
    t.send({ seq: 1, data: 1000, options: at(0) });
    t.recv({ ack: 2001 });
    t.send({ seq: 2001, data: 1000, options: at(900) });
    t.recv({ ack: 2001 });
    expect(t.tcb.receive.readable).toBe(2000);
  });
});
