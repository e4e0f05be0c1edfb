import { describe, expect, test } from "bun:test";
import { currentRto } from "../../../../core/tcp/recovery/rtt.ts";
import { TIMER } from "../../../../core/tcp/timers/timers.ts";
import { inEstablished, type Setup } from "../../../support/dsl/builders.ts";
import type { Trace } from "../../../support/dsl/trace.ts";

/** Five segments of 1,000 bytes are on their way. */
function fiveSent(setup: Setup = {}): Trace {
  const t = inEstablished(setup);
  t.write(5000);
  for (let i = 0; i < 4; i++) t.recv({ length: 1000 });
  t.recv({ flags: "P.", length: 1000 });
  return t;
}

describe("without SACK", () => {
  const PLAIN = { syn: { mss: 1000 } };

  // Two duplicates may be reordering, the third means a loss.
  test("the third duplicate ACK retransmits (RFC 5681 3.2)", () => {
    const t = fiveSent(PLAIN);
    t.send({ at: 10, ack: 1 });
    t.send({ ack: 1 });
    t.recvNothing();
    t.send({ ack: 1 });
    t.recv({ seq: 1, length: 1000 });
    t.send({ ack: 1 });
    t.recvNothing();
    t.send({ at: 20, ack: 5001 });
    t.at(5000);
    t.recvNothing();
  });

  // A partial ACK names the next hole, which is filled at once.
  test("a partial ACK retransmits the next segment (RFC 6582 3.2)", () => {
    const t = fiveSent(PLAIN);
    for (let i = 0; i < 3; i++) t.send({ at: 10, ack: 1 });
    t.recv({ seq: 1, length: 1000 });
    t.send({ at: 20, ack: 2001 });
    t.recv({ seq: 2001, length: 1000 });
    t.send({ at: 30, ack: 5001 });
    expect(t.tcb.loss.phase).toBe("open");
    t.recvNothing();
  });

  // What carries text or another window is no duplicate, however often it comes.
  test("an ACK with text or with a new window is no duplicate (RFC 5681 2)", () => {
    const t = fiveSent(PLAIN);
    for (let i = 1; i <= 4; i++) t.send({ at: 10, ack: 1, window: 30_000 + i });
    for (let i = 1; i <= 4; i++) t.send({ ack: 1, data: 10 });
    t.recvNothing();
    expect(t.read()).toBe(40);
    t.recv({ ack: 41 });
  });

  // Duplicates after everything is acknowledged mean nothing.
  test("duplicates without anything outstanding do nothing (RFC 5681 2)", () => {
    const t = fiveSent(PLAIN);
    t.send({ at: 10, ack: 5001 });
    for (let i = 0; i < 5; i++) t.send({ ack: 5001 });
    t.recvNothing();
  });
});

describe("with SACK", () => {
  // One block behind a hole: a quarter of the round trip is left for reordering, then it is lost.
  test("a hole is retransmitted after the reordering window (RFC 8985 6.2)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 2001]] } });
    t.recvNothing();
    t.recv({ at: 12.5, seq: 1, length: 1000 });
    t.send({ at: 20, ack: 5001 });
    t.at(5000);
    t.recvNothing();
  });

  // Three segments behind the hole are proof enough.
  test("three sacked segments retransmit at once (RFC 8985 6.2, step 4)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    t.recvNothing();
  });

  // The holes were sent a millisecond apart, and become lost a millisecond apart while nothing
  // arrives: the second is sent again as well, for the acknowledgement of the first may get lost.
  test("the second hole that the reordering timer finds is retransmitted (RFC 8985 6.3)", () => {
    const t = inEstablished({ profile: "internet", syn: { mss: 1000, sackPermitted: true } });
    for (const ms of [0, 1]) {
      t.at(ms);
      t.write(1000);
      t.recv({ flags: "P.", seq: 1 + 1000 * ms, length: 1000 });
    }
    t.at(2);
    t.write(2000);
    t.recv({ length: 1000 });
    t.recv({ flags: "P.", length: 1000 });
    t.send({ at: 12, ack: 1, options: { sack: [[2001, 4001]] } });
    t.recvNothing();
    t.recv({ at: 12.5, seq: 1, length: 1000 });
    t.recv({ at: 13.5, seq: 1001, length: 1000 });
    t.recvNothing();
  });

  // SACK keeps recovery going while nothing new is acknowledged: the timer counts from what was sent
  // for the first hole last.
  test("a first segment that is sent again restarts the timer (RFC 6675 6)", () => {
    const t = fiveSent({ profile: "internet", syn: { mss: 1000, sackPermitted: true } });
    t.send({ at: 15, ack: 1, options: { sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    expect(t.tcb.timers.at(TIMER.RETRANSMIT) - t.wire.now).toBeCloseTo(currentRto(t.tcb));
  });

  // Two holes, and nothing that the peer has.
  test("only the holes are retransmitted (RFC 6675 5)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 2001], [3001, 5001]] } });
    t.recv({ seq: 1, length: 1000 });
    t.recv({ seq: 2001, length: 1000 });
    t.recvNothing();
    t.send({ at: 20, ack: 5001 });
    t.at(5000);
    t.recvNothing();
  });

  // What was sent once and is sacked after 15 ms counts: 7/8 of 10 and 1/8 of 15.
  test("a sacked segment gives a sample of the round trip (RFC 6298 2.3)", () => {
    const t = fiveSent();
    t.send({ at: 15, ack: 1, options: { sack: [[1001, 2001]] } });
    expect(t.tcb.srtt).toBe(10.625);
  });

  // The first segment gets lost a second time, and the timeout doubles. Then the last one is sacked
  // that was sent once: the timer runs no longer than the RTO that it gives.
  test("a sacked segment ends the backoff (RFC 6298 5.7)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    t.wire.advanceUntilSent(1000);
    t.recv({ seq: 1, length: 1000 });
    expect(t.tcb.loss.rtoBackoff).toBe(1);
    t.send({ at: 230, ack: 1, options: { sack: [[1001, 5001]] } });
    expect(t.tcb.loss.rtoBackoff).toBe(0);
    expect(t.tcb.timers.at(TIMER.RETRANSMIT) - t.wire.now).toBeLessThanOrEqual(currentRto(t.tcb));
  });

  // Blocks that lie about what was never sent, or that are upside down, are nothing.
  test("nonsense blocks are ignored (RFC 2018 5)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[2001, 1001], [5001, 9001], [1, 1]] } });
    expect(t.tcb.scoreboard.sackedBytes).toBe(0);
    t.recvNothing();
  });

  // The last segment has nobody behind it that could tell of its loss: it is sent again before the
  // timeout. Two round trips and 2 ms, as several are outstanding.
  test("a lost tail is probed (RFC 8985 7.2)", () => {
    const t = fiveSent();
    t.recv({ at: 22, flags: "P.", seq: 4001, length: 1000 });
    t.send({ at: 32, ack: 1, options: { sack: [[4001, 5001]] } });
    for (const seq of [1, 1001, 2001]) t.recv({ seq, length: 1000 });
    t.recv({ seq: 3001, length: 1000 });
  });

  // Without timestamps the acknowledgement of the probe is no sample, and there is no second probe
  // before one: nothing puts the timeout off either.
  test("no probe is waited for that would not be sent (RFC 8985 7.3)", () => {
    const t = fiveSent();
    t.recv({ at: 22, flags: "P.", seq: 4001, length: 1000 });
    t.send({ at: 32, ack: 5001 });
    t.write(2000);
    t.recv({ length: 1000 });
    t.recv({ flags: "P.", length: 1000 });
    expect(t.tcb.timers.isRunning(TIMER.TAIL_PROBE)).toBe(false);
    t.recv({ at: 32 + currentRto(t.tcb), seq: 5001, length: 1000 });
  });

  // The timeout comes when even the probe is not answered, and nothing that was sacked goes again.
  test("a timeout retransmits what is not sacked (RFC 6675 5.1)", () => {
    const t = fiveSent();
    t.send({ at: 5, ack: 1001, options: { sack: [[2001, 3001]] } });
    const segments = [];
    for (let i = 0; i < 5; i++) {
      t.wire.advanceUntilSent(3000);
      segments.push(...t.recvAll());
    }
    const seqs = segments.map(({ seq }) => (seq - t.iss) >>> 0);
    expect(seqs).toContain(1001);
    expect(seqs).not.toContain(2001);
  });
});

describe("congestion: unacked", () => {
  // Nothing but the number of unacknowledged bytes limits sending.
  test("bounds the unacknowledged bytes (seed)", () => {
    const t = inEstablished({ tcp: { maxUnacked: 4096 } });
    t.write(10_000);
    for (let i = 0; i < 4; i++) t.recv({ length: 1000 });
    t.recvNothing();
    t.send({ at: 10, ack: 1001 });
    t.recv({ length: 1000 });
    t.recvNothing();
  });

  // A whole window goes at once: there is no slow start.
  test("has no slow start (seed)", () => {
    const t = inEstablished();
    t.write(60_000);
    expect(t.recvAll().length).toBe(60);
  });

  // The other profile begins with ten segments.
  test("is not the rule in profile internet (RFC 6928 2)", () => {
    const t = inEstablished({ profile: "internet" });
    t.write(60_000);
    expect(t.recvAll().length).toBe(10);
  });
});
