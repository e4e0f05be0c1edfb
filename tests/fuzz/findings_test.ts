/** What fuzzing has found, each as the shortest trace that shows it. */
import { describe, expect, test } from "bun:test";
import { MAX_CUT_RANGES, Scoreboard } from "../../core/tcp/recovery/scoreboard.ts";
import { inEstablished } from "../support/dsl/builders.ts";

describe("a peer that contradicts itself", () => {
  // Text behind a hole, then a FIN in front of that text: what can never be filled is not kept, and
  // not reported as if it were waited for.
  test("segmentArrives forgets text behind a FIN (RFC 9293 3.10.7.4, eighth)", () => {
    const t = inEstablished({ profile: "internet" });
    t.send({ seq: 1001, data: 100 });
    t.recv({ ack: 1, options: { sack: [[1001, 1101]] } });
    t.send({ flags: "F.", seq: 1 });
    t.recv({ ack: 2, options: {} });
    expect(t.tcb.receive.hasHole).toBe(false);
  });

  // A byte here and a byte there: the ranges that this makes are bounded, and so is what each
  // acknowledgement costs.
  test("Scoreboard.sack cuts only so often (RFC 2018 4)", () => {
    const scoreboard = new Scoreboard();
    const nothing = { arrived: () => {} };
    scoreboard.sent(0, 100_000, 1);
    for (let at = 1; at < 100_000; at += 2) scoreboard.sack(at, at + 1, nothing);
    expect(scoreboard.count).toBeLessThanOrEqual(MAX_CUT_RANGES + 2);
    // What is reported as a whole still counts.
    scoreboard.sack(50_000, 100_000, nothing);
    scoreboard.acknowledge(100_000, nothing);
    expect([scoreboard.count, scoreboard.inFlight, scoreboard.sackedBytes]).toEqual([0, 0, 0]);
  });
});

describe("bbr", () => {
  // The SYN of a passive connection is acknowledged: that one number took a while says nothing
  // about bandwidth, and the first segments do not wait for hours.
  test("RateSampler takes no sample from a SYN,ACK's acknowledgement", () => {
    const t = inEstablished({ profile: "internet", tcp: { congestion: "bbr" } });
    t.write(4000);
    expect(t.recvAll().map(({ text }) => text.length)).toEqual([1000, 1000, 1000, 1000]);
  });

  // A minute of silence, then an acknowledgement: the sample is of a few bytes in a minute, and the
  // pace is still not slower than four segments in a round trip.
  test("Bbr paces no slower than its least window goes", () => {
    const t = inEstablished({ profile: "internet", tcp: { congestion: "bbr" } });
    t.write(1);
    t.recv({ flags: "P.", seq: 1, length: 1 });
    t.at(150);
    t.send({});
    const { pacingRate } = t.tcb.congestion;
    expect(pacingRate).toBeGreaterThanOrEqual(4 * 1000 / t.tcb.srtt * 0.9);
  });
});
