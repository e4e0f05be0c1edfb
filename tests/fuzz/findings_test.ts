/** Findings of fuzzing, each as the shortest trace that reproduces it. */
import { describe, expect, test } from "bun:test";
import { MAX_CUT_RANGES, Scoreboard } from "../../core/tcp/recovery/scoreboard.ts";
import { inEstablished } from "../support/dsl/builders.ts";

describe("a peer that contradicts itself", () => {
  // Out-of-order text, then a FIN before that text: the gap can never be filled, so the text is
  // neither stored nor reported by SACK.
  test("segmentArrives drops text after a FIN (RFC 9293 3.10.7.4, eighth)", () => {
    const t = inEstablished({ profile: "internet" });
    t.send({ seq: 1001, data: 100 });
    t.recv({ ack: 1, options: { sack: [[1001, 1101]] } });
    t.send({ flags: "F.", seq: 1 });
    t.recv({ ack: 2, options: {} });
    expect(t.tcb.receive.hasHole).toBe(false);
  });

  // SACK blocks of single bytes: the number of ranges is bounded, and so is the cost of each
  // acknowledgement.
  test("Scoreboard.sack bounds the number of splits (RFC 2018 4)", () => {
    const scoreboard = new Scoreboard();
    const nothing = { arrived: () => {} };
    scoreboard.sent(0, 100_000, 1);
    for (let at = 1; at < 100_000; at += 2) scoreboard.sack(at, at + 1, nothing);
    expect(scoreboard.count).toBeLessThanOrEqual(MAX_CUT_RANGES + 2);
    // Whole segments are still sacked.
    scoreboard.sack(50_000, 100_000, nothing);
    scoreboard.acknowledge(100_000, nothing);
    expect([scoreboard.count, scoreboard.inFlight, scoreboard.sackedBytes]).toEqual([0, 0, 0]);
  });
});

describe("bbr", () => {
  // The SYN,ACK of a passive connection is acknowledged: one sequence number says nothing about
  // bandwidth and must not slow the pacing down for hours.
  test("RateSampler takes no sample from a SYN,ACK's acknowledgement", () => {
    const t = inEstablished({ profile: "internet", tcp: { congestion: "bbr" } });
    t.write(4000);
    expect(t.recvAll().map(({ text }) => text.length)).toEqual([1000, 1000, 1000, 1000]);
  });

  // An acknowledgement after a minute of silence gives a sample of a few bytes per minute; the
  // pacing rate is still at least four segments per round trip.
  test("Bbr paces no slower than its minimum window", () => {
    const t = inEstablished({ profile: "internet", tcp: { congestion: "bbr" } });
    t.write(1);
    t.recv({ flags: "P.", seq: 1, length: 1 });
    t.at(150);
    t.send({});
    const { pacingRate } = t.tcb.congestion;
    expect(pacingRate).toBeGreaterThanOrEqual(4 * 1_000_000 / t.tcb.srttUs * 0.9);
  });
});
