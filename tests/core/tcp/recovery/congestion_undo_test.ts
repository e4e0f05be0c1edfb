import { describe, expect, test } from "bun:test";
import { ownLoss } from "../../../../core/tcp/recovery/loss_state.ts";
import { TIMER } from "../../../../core/tcp/timers/timers.ts";
import { inEstablished, type Setup } from "../../../support/dsl/builders.ts";
import type { Trace } from "../../../support/dsl/trace.ts";

const INTERNET: Setup = { profile: "internet", syn: { mss: 1000, sackPermitted: true } };
const STAMPED: Setup = {
  profile: "internet",
  syn: { mss: 1012, sackPermitted: true, timestamps: [5000, 0] },
};

/** Eight segments of 1,000 bytes are on their way. */
function eightSent(setup: Setup): Trace {
  const t = inEstablished(setup);
  t.write(8000);
  t.recvAll();
  return t;
}

/** The peer's timestamps, echoing what the stack said at a time. */
function echoing(t: Trace, at: number): readonly [number, number] {
  const then = Math.floor(t.wire.now - t.wire.elapsed + at);
  return [t.peerTime + 20, (then + t.tcb.tsOffset) >>> 0];
}

describe("a recovery for nothing", () => {
  // Three segments overtook the first, which was sent again; then the original's acknowledgement
  // comes, with the original's timestamp.
  test("is undone when the original is echoed (RFC 3522 3.2)", () => {
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

  // The same, and the retransmission is echoed: the loss was real.
  test("is none when the retransmission is echoed (RFC 3522 3.2)", () => {
    const t = eightSent(STAMPED);
    t.send({ at: 10, ack: 1, options: { timestamps: echoing(t, 0), sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    t.send({ at: 20, ack: 4001, options: { timestamps: echoing(t, 10) } });
    t.recvAll();
    expect(t.tcb.loss).toMatchObject({ phase: "fast", spurious: 0 });
  });

  // Without timestamps: the peer reports that it has got twice everything that was sent again.
  test("is undone when the peer had all of it already (RFC 3708 3)", () => {
    const t = eightSent(INTERNET);
    const { cwnd, ssthresh } = t.tcb.congestion;
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 2001], [3001, 8001]] } });
    t.recv({ seq: 1, length: 1000 });
    t.recv({ seq: 2001, length: 1000 });
    // The originals arrive late, what was sent again after them.
    t.send({ at: 12, ack: 8001 });
    expect(t.tcb.congestion.ssthresh).toBeLessThan(ssthresh);
    t.send({ at: 20, ack: 8001, options: { sack: [[1, 1001]] } });
    expect(t.tcb.loss.spurious).toBe(0);
    t.send({ at: 20, ack: 8001, options: { sack: [[2001, 3001]] } });
    expect(t.tcb.loss.spurious).toBe(1);
    expect(t.tcb.congestion.cwnd).toBeGreaterThanOrEqual(cwnd);
    expect(t.tcb.congestion.ssthresh).toBe(ssthresh);
  });

  // Of two that were sent again one was lost indeed.
  test("is none when one of two was lost (RFC 3708 3)", () => {
    const t = eightSent(INTERNET);
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 2001], [3001, 8001]] } });
    t.recvAll();
    t.send({ at: 20, ack: 8001, options: { sack: [[1, 1001]] } });
    t.at(1000);
    expect(t.tcb.loss.spurious).toBe(0);
  });

  // The first hole is an old one: that it is filled says nothing about the second, for which there is
  // a recovery now.
  test("is not seen in the echo of another hole (RFC 7323 4.3)", () => {
    const t = eightSent(STAMPED);
    t.send({ at: 10, ack: 1, options: { timestamps: echoing(t, 0), sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    ownLoss(t.tcb).undo = { ...t.tcb.loss.undo!, firstLost: (t.iss + 5001) | 0, unreported: 1000 };
    t.send({ at: 12, ack: 4001, options: { timestamps: echoing(t, 0) } });
    t.recvAll();
    expect(t.tcb.loss.spurious).toBe(0);
  });
});

describe("a timeout for nothing", () => {
  // Everything was late, not lost: after the timeout the originals are acknowledged, of which one
  // only was sent again.
  test("is undone when what was not sent again arrives (RFC 5682 3)", () => {
    const t = eightSent(INTERNET);
    const { cwnd } = t.tcb.congestion;
    t.tcb.timers.stop(TIMER.TAIL_PROBE);
    t.wire.advanceUntilSent(3000);
    t.recv({ at: t.wire.elapsed, seq: 1, length: 1000 });
    expect(t.tcb.loss.phase).toBe("timeout");
    t.send({ ack: 3001 });
    expect(t.tcb.loss).toMatchObject({ phase: "open", spurious: 1 });
    expect(t.tcb.congestion.cwnd).toBeGreaterThanOrEqual(cwnd);
    t.recvNothing();
  });

  // The first is lost, and what was sent again for it too. That something else arrives, which was
  // behind them in a long queue, does not make it arrive.
  test("is not seen where losses were being repaired (RFC 5682 2.1 step 1)", () => {
    const t = eightSent(INTERNET);
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    expect(t.tcb.loss.phase).toBe("fast");
    t.wire.advanceUntilSent(3000);
    t.recv({ at: t.wire.elapsed, seq: 1, length: 1000 });
    expect(t.tcb.loss.phase).toBe("timeout");
    t.send({ ack: 1, options: { sack: [[1001, 5001]] } });
    expect(t.tcb.loss).toMatchObject({ phase: "timeout", spurious: 0 });
  });

  // Without SACK what follows may have arrived long ago: the hole was real.
  test("is not seen without SACK (RFC 5682 2.1)", () => {
    const t = eightSent({ profile: "internet", syn: { mss: 1000 } });
    t.wire.advanceUntilSent(3000);
    t.recv({ at: t.wire.elapsed, seq: 1, length: 1000 });
    t.send({ ack: 8001 });
    expect(t.tcb.loss).toMatchObject({ phase: "open", spurious: 0 });
    expect(t.tcb.congestion.ssthresh).toBe(5600);
  });
});

describe("a segment that a retransmission has overtaken", () => {
  // The retransmission fills the hole and has the younger timestamp; what was sent before it and
  // comes behind it is taken all the same, as the path is known to reorder.
  test("is taken although its timestamp is older (RFC 7323 5.3)", () => {
    const t = inEstablished(STAMPED);
    const at = (ago: number) => ({ timestamps: [t.peerTime - ago, 0] as const });
    t.send({ seq: 1001, data: 1000, options: at(0) });
    t.recv({ ack: 1 });
    t.send({ at: 50, seq: 1, data: 1000, options: at(0) });
    t.recv({ ack: 2001 });
    t.send({ seq: 2001, data: 1000, options: at(20) });
    expect(t.tcb.receive.readable).toBe(3000);
  });

  // From another time altogether.
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
