import { describe, expect, test } from "bun:test";
import { AckAggregation } from "../../../../core/tcp/congestion/bbr/aggregation.ts";
import { Bbr } from "../../../../core/tcp/congestion/bbr/bbr.ts";
import { FullBandwidth } from "../../../../core/tcp/congestion/bbr/full_bandwidth.ts";
import {
  inflightAtLoss,
  isInflightTooHigh,
  LongTermModel,
} from "../../../../core/tcp/congestion/bbr/long_term.ts";
import { MaxBandwidth } from "../../../../core/tcp/congestion/bbr/max_bandwidth.ts";
import { MinRtt } from "../../../../core/tcp/congestion/bbr/min_rtt.ts";
import { ProbeWait } from "../../../../core/tcp/congestion/bbr/probe_wait.ts";
import { Rounds } from "../../../../core/tcp/congestion/bbr/rounds.ts";
import { ShortTermModel } from "../../../../core/tcp/congestion/bbr/short_term.ts";
import { StartupLoss } from "../../../../core/tcp/congestion/bbr/startup_loss.ts";
import type { DeliverySample } from "../../../../core/tcp/congestion/control.ts";

const MSS = 1000;

function sample(changes: Partial<DeliverySample>): DeliverySample {
  return {
    rate: 0,
    isApplicationLimited: false,
    priorDelivered: 0,
    delivered: 0,
    txInFlight: 0,
    lost: 0,
    priorLost: 0,
    applicationIsLimit: false,
    markApplicationLimited: () => {},
    ...changes,
  };
}

describe("Rounds", () => {
  // A round ends when data sent after the end of the previous round is acknowledged.
  test("counts round trips by packets (BBR draft 5.5.1)", () => {
    const rounds = new Rounds();
    const starts = [[0, 10], [0, 20], [10, 30], [20, 40], [30, 50]].map(([prior, delivered]) => {
      rounds.update(sample({ priorDelivered: prior!, delivered: delivered!, rate: 1 }));
      return rounds.starts;
    });
    expect(starts).toEqual([true, false, true, false, true]);
    // The original of a retransmitted segment arrives: no round trip has passed.
    rounds.update(sample({ priorDelivered: 50, delivered: 60, rate: 0 }));
    expect(rounds.starts).toBe(false);
    expect(rounds.count).toBe(3);
  });
});

describe("MaxBandwidth", () => {
  // The maximum of two cycles; a cycle without samples does not count.
  test("covers this cycle and the previous one (BBR draft 5.5.6)", () => {
    const bandwidth = new MaxBandwidth();
    bandwidth.update(sample({ rate: 9 }));
    bandwidth.advance();
    bandwidth.update(sample({ rate: 5 }));
    expect(bandwidth.value).toBe(9);
    bandwidth.advance();
    expect(bandwidth.value).toBe(5);
    bandwidth.advance();
    expect(bandwidth.value).toBe(5);
  });

  test("accepts an application-limited sample only if it is the largest (BBR draft 5.5.4)", () => {
    const bandwidth = new MaxBandwidth();
    bandwidth.update(sample({ rate: 9 }));
    bandwidth.advance();
    bandwidth.update(sample({ rate: 5, isApplicationLimited: true }));
    bandwidth.advance();
    expect(bandwidth.value).toBe(9);
    bandwidth.update(sample({ rate: 10, isApplicationLimited: true }));
    expect(bandwidth.value).toBe(10);
  });
});

describe("FullBandwidth", () => {
  function check(rates: readonly number[], isApplicationLimited = false): FullBandwidth {
    const full = new FullBandwidth();
    for (const rate of rates) full.check(true, sample({ rate, isApplicationLimited }));
    return full;
  }

  // Three rounds in which the rate grows by less than 25 %.
  test("finds the plateau after three rounds (BBR draft 5.3.1.2)", () => {
    expect(check([10, 20, 24, 24.9]).reached).toBe(false);
    expect(check([10, 20, 24, 24.9, 24.9]).reached).toBe(true);
    expect(check([10, 20, 24, 25, 26, 27]).reached).toBe(false);
  });

  test("ignores application-limited rounds (BBR draft 5.3.1.2)", () => {
    expect(check([10, 10, 10, 10, 10, 10], true).reached).toBe(false);
  });
});

describe("AckAggregation", () => {
  // 100 bytes/ms arrive as 1,000 bytes every 10 ms, so that the first burst exceeds the
  // expectation.
  test("measures bursts of acknowledgements (BBR draft 5.5.9)", () => {
    const aggregation = new AckAggregation();
    for (let round = 0; round < 5; round++) {
      aggregation.update(1000, 100, 10_000, round * 10 + 10, round, true);
    }
    expect(aggregation.extraAcked).toBe(1000);
  });

  test("never exceeds the window (BBR draft 5.5.9)", () => {
    const aggregation = new AckAggregation();
    aggregation.update(9000, 100, 4000, 10, 0, true);
    expect(aggregation.extraAcked).toBe(4000);
  });
});

describe("MinRtt", () => {
  // Five seconds without a new minimum: ProbeRTT is due. After ten the old value expires.
  test("requests a probe after 5 s and expires after 10 s (BBR draft 5.3.4.3)", () => {
    const minRtt = new MinRtt();
    minRtt.update(50, 1000);
    minRtt.update(60, 5999);
    expect([minRtt.value, minRtt.probeIsDue]).toEqual([50, false]);
    minRtt.update(70, 6001);
    expect([minRtt.value, minRtt.probeIsDue]).toEqual([50, true]);
    minRtt.update(80, 11_001);
    expect(minRtt.value).toBe(70);
  });
});

describe("ShortTermModel", () => {
  // Not below the data delivered in the round, and not below 70 % of the old value.
  test("follows the data delivered in a round with losses (BBR draft 5.5.10.3)", () => {
    const model = new ShortTermModel();
    model.noteLoss(0);
    model.updateLatest(sample({ rate: 90, delivered: 9000 }));
    model.adapt(100, 12_000);
    expect([model.bandwidth, model.inflight]).toEqual([90, 9000]);
    model.resetSignals();
    model.updateLatest(sample({ rate: 10, delivered: 500 }));
    model.adapt(100, 12_000);
    expect(model.bandwidth).toBeCloseTo(63);
    expect(model.inflight).toBeCloseTo(6300);
  });
});

describe("LongTermModel", () => {
  // From 16 segments: 1 more in the first round, then 2, then 4.
  test("grows twice as fast each round (BBR draft 5.3.3.9)", () => {
    const model = new LongTermModel();
    model.inflight = 16 * MSS;
    const sizes = [];
    for (let round = 0; round < 3; round++) {
      model.raiseSlope(16 * MSS, MSS);
      for (let acked = 0; acked < 16; acked++) model.grow(MSS, MSS);
      sizes.push(model.inflight / MSS);
    }
    expect(sizes).toEqual([17, 19, 23]);
  });

  test("leaves 15 % to other flows, at least one segment (BBR draft 5.3.3.9)", () => {
    const model = new LongTermModel();
    expect(model.withHeadroom(MSS, 4 * MSS)).toBe(Infinity);
    model.inflight = 100 * MSS;
    expect(model.withHeadroom(MSS, 4 * MSS)).toBe(85 * MSS);
    model.inflight = 5 * MSS;
    expect(model.withHeadroom(MSS, 4 * MSS)).toBe(4 * MSS);
  });

  test("tolerates losses below 2 %, and none without SACK (BBR draft 5.5.10.2)", () => {
    expect(isInflightTooHigh(2 * MSS, 100 * MSS, true)).toBe(false);
    expect(isInflightTooHigh(3 * MSS, 100 * MSS, true)).toBe(true);
    expect(isInflightTooHigh(1, 100 * MSS, false)).toBe(true);
  });

  // One of 100 segments was lost. Without SACK there may be others that are not known yet.
  test("rises with what was in flight where losses are tolerated (BBR draft 5.3.3.9)", () => {
    const boundAfter = (hasSack: boolean) => {
      const bbr = new Bbr(MSS);
      bbr.state = "cruise";
      bbr.model.full.reached = true;
      bbr.model.longTerm.inflight = 50 * MSS;
      bbr.onAck({
        bytes: MSS,
        now: 50,
        srtt: 50,
        rtt: 50,
        sndUna: 0,
        sndNxt: 0,
        inFlight: 0,
        rate: sample({ rate: 100, delivered: MSS, txInFlight: 100 * MSS, lost: MSS }),
        limited: true,
        hasSack,
        growthLimit: 8,
      });
      return bbr.model.longTerm.inflight / MSS;
    };
    expect(boundAfter(true)).toBe(100);
    expect(boundAfter(false)).toBe(50);
  });

  // 98 segments in flight without loss, then a range of 20 lost segments: at 100 in flight, two are
  // lost.
  test("finds the point in a lost range at which the loss rate became too high (BBR draft 5.5.10.2)", () => {
    expect(inflightAtLoss(20 * MSS, 118 * MSS, 20 * MSS) / MSS).toBeCloseTo(100);
  });
});

describe("StartupLoss", () => {
  // Consecutive lost segments are one range.
  test("counts discontiguous ranges (BBR draft 5.3.1.3)", () => {
    const loss = new StartupLoss();
    for (let i = 0; i < 100; i++) loss.noteLost(i * MSS, (i + 1) * MSS);
    expect(loss.isHigh).toBe(false);
    for (let i = 101; i < 111; i += 2) loss.noteLost(i * MSS, (i + 1) * MSS);
    expect(loss.isHigh).toBe(true);
    loss.reset();
    expect(loss.isHigh).toBe(false);
  });
});

describe("ProbeWait", () => {
  // Randomized, so that flows that start together do not probe together.
  test("waits a random 2 to 3 s each time (BBR draft 5.3.3.9)", () => {
    const waits = Array.from({ length: 100 }, (_, i) => {
      const wait = new ProbeWait();
      wait.start(1000, i * MSS);
      let now = 1000;
      while (!wait.isOver(now)) now += 10;
      return now - 1000;
    });
    expect(Math.min(...waits)).toBeGreaterThan(2000);
    expect(Math.min(...waits)).toBeLessThan(2100);
    expect(Math.max(...waits)).toBeLessThan(3020);
    expect(Math.max(...waits)).toBeGreaterThan(2900);
  });
});
