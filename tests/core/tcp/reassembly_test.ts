import { describe, expect, test } from "bun:test";
import { MAX_HOLES } from "../../../core/buffers/receive_ring.ts";
import { inEstablished, type Setup } from "../../support/dsl/builders.ts";

/** Acknowledge on arrival without delay, so that each segment is answered. */
const ARRIVAL = { tcp: { acknowledge: "on-arrival", delayedAckMs: 0 } } as const satisfies Setup;
const WITHOUT_SACK = { ...ARRIVAL, syn: { mss: 1000 } };

describe("reassembly", () => {
  // Out-of-order text: the ACK does not advance, and SACK reports the block; filling the gap
  // delivers everything.
  test("stores out-of-order segments (RFC 9293 3.10.7.4, seventh)", () => {
    const t = inEstablished(ARRIVAL);
    t.send({ seq: 1001, data: 1000 });
    t.recv({ ack: 1, options: { sack: [[1001, 2001]] } });
    expect(t.read()).toBe(0);
    t.send({ seq: 1, data: 1000 });
    t.recv({ ack: 2001, options: {} });
    expect(t.read()).toBe(2000);
  });

  // The newest block is first, followed by others.
  test("reports the newest block first (RFC 2018 4)", () => {
    const t = inEstablished(ARRIVAL);
    t.send({ seq: 101, data: 100 });
    t.recv({ ack: 1, options: { sack: [[101, 201]] } });
    t.send({ seq: 501, data: 100 });
    t.recv({ ack: 1, options: { sack: [[501, 601], [101, 201]] } });
    t.send({ seq: 301, data: 100 });
    t.recv({ ack: 1, options: { sack: [[301, 401], [501, 601], [101, 201]] } });
    t.send({ seq: 201, data: 100 });
    t.recv({ ack: 1, options: { sack: [[101, 401], [501, 601]] } });
    t.send({ seq: 1, data: 100 });
    t.recv({ ack: 401, options: { sack: [[501, 601]] } });
    t.send({ seq: 401, data: 100 });
    t.recv({ ack: 601, options: {} });
    expect(t.read()).toBe(600);
  });

  // With timestamps, three blocks fit.
  test("reports three blocks with timestamps (RFC 2018 3)", () => {
    const t = inEstablished({
      profile: "internet",
      tcp: { delayedAckMs: 0 },
      syn: { mss: 1000, sackPermitted: true, timestamps: [5000, 0] },
    });
    for (const seq of [101, 301, 501, 701]) {
      t.send({ seq, data: 100 });
      if (seq < 701) t.recv({ ack: 1 });
    }
    const { options } = t.recv({ ack: 1 });
    expect(options.sack?.length).toBe(3);
    expect(options.timestamps?.[1]).toBe(5010);
  });

  // Overlaps at the start, at the end, inside and around: each byte is delivered once.
  test("accepts overlapping segments in any order (RFC 9293 3.4)", () => {
    const t = inEstablished(WITHOUT_SACK);
    for (
      const [seq, data] of [[201, 200], [301, 200], [151, 100], [251, 20], [101, 600]] as const
    ) {
      t.send({ seq, data });
      t.recv({ ack: 1 });
    }
    t.send({ seq: 1, data: 150 });
    t.recv({ ack: 701 });
    expect(t.read()).toBe(700);
  });

  // The start of the segment is old, its end is new.
  test("trims text received before (RFC 9293 3.10.7.4, first)", () => {
    const t = inEstablished(WITHOUT_SACK);
    t.send({ data: 300 });
    t.recv({ ack: 301 });
    t.send({ seq: 101, data: 500 });
    t.recv({ ack: 601 });
    expect(t.read()).toBe(600);
  });

  // A duplicate is reported once (D-SACK).
  test("reports a duplicate (RFC 2883 4)", () => {
    const t = inEstablished(ARRIVAL);
    t.send({ data: 300 });
    t.recv({ ack: 301 });
    t.send({ seq: 1, data: 300 });
    t.recv({ ack: 301, options: { sack: [[1, 301]] } });
    t.send({ data: 10 });
    t.recv({ ack: 311, options: {} });
  });

  // Without SACK, the sender counts duplicate ACKs: one for each segment.
  test("answers each out-of-order segment with an ACK (RFC 5681 4.2)", () => {
    const t = inEstablished(WITHOUT_SACK);
    for (const seq of [1001, 2001, 3001]) {
      t.send({ seq, data: 1000 });
      t.recv({ ack: 1 });
    }
  });

  // A segment that extends beyond the window is trimmed; one that starts beyond it is dropped.
  test("trims at the right edge of the window (RFC 9293 3.10.7.4, first)", () => {
    const t = inEstablished({ ...WITHOUT_SACK, tcp: { ...ARRIVAL.tcp, receiveBuffer: 4000 } });
    t.send({ data: 5000 });
    t.recv({ ack: 4001, window: 0 });
    expect(t.read()).toBe(4000);
    t.recv({ ack: 4001, window: 4000 });
    t.send({ seq: 9001, data: 10 });
    t.recv({ ack: 4001 });
    expect(t.wire.stack.stats.dropped("tcp-sequence")).toBe(1);
  });

  // A FIN after a gap takes effect once the gap is filled.
  test("stores an out-of-order FIN (RFC 9293 3.10.7.4, eighth)", () => {
    const t = inEstablished(WITHOUT_SACK);
    t.send({ flags: "F.", seq: 101 });
    t.recv({ ack: 1 });
    expect(t.state).toBe("ESTABLISHED");
    t.send({ seq: 1, data: 100 });
    t.recv({ ack: 102 });
    expect(t.state).toBe("CLOSE-WAIT");
    expect(t.read()).toBe(100);
  });

  // The peer cannot grow the list of gaps without limit: a segment that would add one too many is
  // dropped; one adjacent to a known range is not.
  test("bounds the number of gaps (RFC 9293 3.10.7.4)", () => {
    const t = inEstablished(WITHOUT_SACK);
    for (let i = 1; i <= MAX_HOLES; i++) {
      t.send({ seq: 1 + i * 20, data: 10 });
      t.recv({ ack: 1 });
    }
    t.send({ seq: 1 + (MAX_HOLES + 1) * 20, data: 10 });
    t.recv({ ack: 1 });
    expect(t.wire.stack.stats.dropped("tcp-no-room")).toBe(1);
    t.send({ seq: 11, data: 20 });
    t.recv({ ack: 1 });
    t.send({ seq: 1, data: 10 });
    t.recv({ ack: 31 });
    expect(t.read()).toBe(30);
  });

  // The end of the connection releases out-of-order data.
  test("drops out-of-order data with the connection (RFC 9293 3.10.7.4, second)", () => {
    const t = inEstablished(WITHOUT_SACK);
    t.send({ seq: 101, data: 100 });
    t.recv({ ack: 1 });
    t.send({ flags: "R", seq: 1 });
    expect(t.tcb.receive.hasHole).toBe(false);
    expect(t.tcb.error).toBe("CONNECTION_RESET");
  });
});
