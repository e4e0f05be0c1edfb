import { describe, expect, test } from "bun:test";
import { currentRto } from "../../../../core/tcp/recovery/rtt.ts";
import { isRunning, TIMER, timerAt } from "../../../../core/tcp/timers/timers.ts";
import { inEstablished, type Setup } from "../../../support/dsl/builders.ts";
import type { Trace } from "../../../support/dsl/trace.ts";

/** Five segments of 1,000 bytes are in flight. */
function fiveSent(setup: Setup = {}): Trace {
  const t = inEstablished(setup);
  t.write(5000);
  for (let i = 0; i < 4; i++) t.recv({ length: 1000 });
  t.recv({ flags: "P.", length: 1000 });
  return t;
}

describe("without SACK", () => {
  const PLAIN = { syn: { mss: 1000 } };

  // Two duplicates may be due to reordering; the third indicates a loss.
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

  // A partial ACK indicates the next lost segment, which is retransmitted at once.
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

  // ACKs with text or another window are not duplicates, however many there are.
  test("an ACK with text or a new window is not a duplicate (RFC 5681 2)", () => {
    const t = fiveSent(PLAIN);
    for (let i = 1; i <= 4; i++) t.send({ at: 10, ack: 1, window: 30_000 + i });
    for (let i = 1; i <= 4; i++) t.send({ ack: 1, data: 10 });
    t.recvNothing();
    expect(t.read()).toBe(40);
    t.recv({ ack: 41 });
  });

  // Duplicates after everything is acknowledged are ignored.
  test("duplicates without outstanding data have no effect (RFC 5681 2)", () => {
    const t = fiveSent(PLAIN);
    t.send({ at: 10, ack: 5001 });
    for (let i = 0; i < 5; i++) t.send({ ack: 5001 });
    t.recvNothing();
  });
});

describe("with SACK", () => {
  // One block after a gap: the segment is lost after a reordering window of a quarter of the RTT.
  test("a segment is retransmitted after the reordering window (RFC 8985 6.2)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 2001]] } });
    t.recvNothing();
    t.recv({ at: 12.5, seq: 1, length: 1000 });
    t.send({ at: 20, ack: 5001 });
    t.at(5000);
    t.recvNothing();
  });

  // Three sacked segments after the gap are sufficient evidence.
  test("three sacked segments retransmit at once (RFC 8985 6.2, step 4)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    t.recvNothing();
  });

  // The holes were sent a millisecond apart, and become lost a millisecond apart while nothing
  // arrives: the second is retransmitted too, since the acknowledgement of the first may be lost.
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

  // SACK keeps recovery going while no new data is acknowledged: the timer restarts with the latest
  // retransmission of the first segment.
  test("retransmitting the first segment restarts the timer (RFC 6675 6)", () => {
    const t = fiveSent({ profile: "internet", syn: { mss: 1000, sackPermitted: true } });
    t.send({ at: 15, ack: 1, options: { sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    expect(timerAt(t.tcb, TIMER.RETRANSMIT) - t.wire.now).toBeCloseTo(currentRto(t.tcb));
  });

  // Two gaps, and no sacked segment.
  test("only the lost segments are retransmitted (RFC 6675 5)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 2001], [3001, 5001]] } });
    t.recv({ seq: 1, length: 1000 });
    t.recv({ seq: 2001, length: 1000 });
    t.recvNothing();
    t.send({ at: 20, ack: 5001 });
    t.at(5000);
    t.recvNothing();
  });

  // A segment sent once and sacked after 15 ms is a sample: 7/8 of 10 plus 1/8 of 15.
  test("a sacked segment gives an RTT sample (RFC 6298 2.3)", () => {
    const t = fiveSent();
    t.send({ at: 15, ack: 1, options: { sack: [[1001, 2001]] } });
    expect(t.tcb.srttUs).toBe(10_625);
  });

  // The first segment is lost again, and the RTO doubles. Then the last segment, sent once, is
  // sacked: the timer runs no longer than the RTO from its sample.
  test("a sacked segment ends the backoff (RFC 6298 5)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 4001]] } });
    t.recv({ seq: 1, length: 1000 });
    for (const backoff of [0, 1]) {
      t.wire.advanceUntilSent(1000);
      t.recv({ seq: 1, length: 1000 });
      expect(t.tcb.loss.rtoBackoff).toBe(backoff);
    }
    t.send({ at: 230, ack: 1, options: { sack: [[1001, 5001]] } });
    expect(t.tcb.loss.rtoBackoff).toBe(0);
    expect(timerAt(t.tcb, TIMER.RETRANSMIT) - t.wire.now).toBeLessThanOrEqual(currentRto(t.tcb));
  });

  // The retransmission is lost too. Two round trips later it is sent once more, and then when the
  // retransmission timer expires, which runs as if there had been no probe.
  test("a lost retransmission is sent again once before the timeout (RFC 9002 6.2)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[1001, 4001]] } });
    t.recv({ at: 10, seq: 1, length: 1000 });
    t.recv({ at: 32, seq: 1, length: 1000 });
    t.recv({ at: 210, seq: 1, length: 1000 });
    expect(t.tcb.loss.phase).toBe("timeout");
  });

  // Both retransmissions are lost, and after the probe the second one again. Acknowledgements of retransmissions give
  // no RTT samples, so the path may have become slower: no other probe.
  test("another probe in recovery needs an RTT sample (RFC 8985 7.3)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[2001, 4001]] } });
    t.recv({ at: 12.5, seq: 1, length: 1000 });
    t.recv({ seq: 1001, length: 1000 });
    t.recv({ at: 34.5, seq: 1, length: 1000 });
    t.send({ at: 44.5, ack: 1001, options: { sack: [[2001, 4001]] } });
    t.recv({ seq: 1001, length: 1000 });
    t.recv({ flags: "P.", seq: 4001, length: 1000 });
    t.recv({ at: 254.5, seq: 1001, length: 1000 });
  });

  // The RTO is 300 ms. The answer to a probe after 202 ms would come after 302.
  test("no probe in recovery if its answer came after the timeout (RFC 6298 5)", () => {
    const t = fiveSent({ rtt: 100 });
    t.send({ at: 100, ack: 1, options: { sack: [[1001, 4001]] } });
    t.recv({ at: 100, seq: 1, length: 1000 });
    t.recv({ at: 300, seq: 1, length: 1000 });
    expect(t.tcb.loss.phase).toBe("timeout");
  });

  // Blocks beyond the data sent, or with reversed edges, are ignored.
  test("invalid blocks are ignored (RFC 2018 5)", () => {
    const t = fiveSent();
    t.send({ at: 10, ack: 1, options: { sack: [[2001, 1001], [5001, 9001], [1, 1]] } });
    expect(t.tcb.scoreboard.sackedBytes).toBe(0);
    t.recvNothing();
  });

  // No later segment reveals the loss of the last one, so it is retransmitted before the timeout:
  // after two RTTs and 2 ms, since several are outstanding.
  test("a lost tail is probed (RFC 8985 7.2)", () => {
    const t = fiveSent();
    t.recv({ at: 22, flags: "P.", seq: 4001, length: 1000 });
    t.send({ at: 32, ack: 1, options: { sack: [[4001, 5001]] } });
    for (const seq of [1, 1001, 2001]) t.recv({ seq, length: 1000 });
    t.recv({ seq: 3001, length: 1000 });
  });

  // Without timestamps the acknowledgement of the probe gives no sample, and without a sample there
  // is no second probe, so the timeout must not be postponed for one.
  test("the timeout is not postponed for a probe that would not be sent (RFC 8985 7.3)", () => {
    const t = fiveSent();
    t.recv({ at: 22, flags: "P.", seq: 4001, length: 1000 });
    t.send({ at: 32, ack: 5001 });
    t.write(2000);
    t.recv({ length: 1000 });
    t.recv({ flags: "P.", length: 1000 });
    expect(isRunning(t.tcb, TIMER.TAIL_PROBE)).toBe(false);
    t.recv({ at: 32 + currentRto(t.tcb), seq: 5001, length: 1000 });
  });

  // The probe is not answered either: after the timeout, sacked segments are not retransmitted.
  test("a timeout retransmits segments that are not sacked (RFC 6675 5.1)", () => {
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
  // Only the number of unacknowledged bytes limits sending.
  test("bounds the unacknowledged bytes (seed)", () => {
    const t = inEstablished({ tcp: { maxUnacked: 4096 } });
    t.write(10_000);
    for (let i = 0; i < 4; i++) t.recv({ length: 1000 });
    t.recvNothing();
    t.send({ at: 10, ack: 1001 });
    t.recv({ length: 1000 });
    t.recvNothing();
  });

  // A whole window is sent at once.
  test("has no slow start (seed)", () => {
    const t = inEstablished();
    t.write(60_000);
    expect(t.recvAll().length).toBe(60);
  });

  // Profile internet starts with ten segments.
  test("does not apply in profile internet (RFC 6928 2)", () => {
    const t = inEstablished({ profile: "internet" });
    t.write(60_000);
    expect(t.recvAll().length).toBe(10);
  });
});
