import { describe, expect, test } from "bun:test";
import type { AckSample } from "../../../../core/tcp/congestion/control.ts";
import { Cubic } from "../../../../core/tcp/congestion/cubic.ts";
import { HyStart } from "../../../../core/tcp/congestion/hystart.ts";
import { MaxFilter } from "../../../../core/tcp/congestion/max_filter.ts";
import { RateReduction } from "../../../../core/tcp/recovery/prr.ts";

const MSS = 1000;

function sample(changes: Partial<AckSample>): AckSample {
  return {
    bytes: MSS,
    now: 0,
    srtt: 50,
    rtt: 50,
    sndUna: 0,
    sndNxt: 0,
    inFlight: 0,
    rate: undefined,
    limited: true,
    hasSack: true,
    growthLimit: 8,
    ...changes,
  };
}

describe("HyStart", () => {
  /** Runs rounds of ten acknowledgements, one for each RTT; returns the growth in the last. */
  function grow(rounds: readonly number[]): number[] {
    const hystart = new HyStart();
    return rounds.map((rtt, round) => {
      let growth = 1;
      for (let i = 0; i < 10; i++) {
        const sndUna = round * 10_000 + i * MSS + 1;
        growth = hystart.growth(sample({ rtt, sndUna, sndNxt: sndUna + 10_000 - i * MSS - 1 }));
        if (growth === 0) return 0;
      }
      return growth;
    });
  }

  // No queue: the window doubles every round.
  test("continues slow start while the RTT is stable (RFC 9406 4.2)", () => {
    expect(grow([50, 50, 51, 50])).toEqual([1, 1, 1, 1]);
  });

  // The RTT rises by an eighth, at least 4 ms and at most 16 ms: a queue is building up. Five
  // rounds later slow start ends.
  test("slows down when the RTT rises, then ends slow start (RFC 9406 4.2)", () => {
    expect(grow([50, 57, 57, 57, 57, 57, 57])).toEqual([1, 0.25, 0.25, 0.25, 0.25, 0.25, 0]);
    expect(grow([10, 13.9, 14])).toEqual([1, 1, 1]);
    expect(grow([400, 417])).toEqual([1, 0.25]);
  });

  // The RTT returns to its old value.
  test("resumes slow start after a false alarm (RFC 9406 4.2)", () => {
    expect(grow([50, 60, 50, 50])).toEqual([1, 0.25, 1, 1]);
  });
});

describe("Cubic", () => {
  /** In congestion avoidance with a window of 1,000 segments at the loss. */
  function afterLoss(): Cubic {
    const cubic = new Cubic(MSS);
    cubic.cwnd = 1000 * MSS;
    cubic.onLoss(1000 * MSS);
    return cubic;
  }

  test("keeps 70 % after a loss (RFC 9438 4.6)", () => {
    expect(afterLoss().cwnd).toBeCloseTo(700 * MSS);
  });

  // After K = cbrt(300 / 0.4) seconds the window has its old size.
  test("is back at the old window after K (RFC 9438 4.2)", () => {
    const cubic = afterLoss();
    const k = Math.cbrt(300 / 0.4) * 1000;
    for (let now = 1; now <= k; now += 50) {
      for (let acked = 0; acked < cubic.cwnd; acked += MSS) cubic.onAck(sample({ now }));
    }
    expect(cubic.cwnd / MSS).toBeGreaterThan(990);
    expect(cubic.cwnd / MSS).toBeLessThan(1010);
  });

  // The window at the next loss is smaller because another flow takes a share: growth slows down at
  // 85 % of it already.
  test("releases bandwidth by fast convergence (RFC 9438 4.7)", () => {
    const cubic = afterLoss();
    cubic.onLoss(700 * MSS);
    const k = Math.cbrt((0.85 * 700 - 490) / 0.4) * 1000;
    for (let now = 1; now <= k; now += 50) {
      for (let acked = 0; acked < cubic.cwnd; acked += MSS) cubic.onAck(sample({ now }));
    }
    expect(cubic.cwnd / MSS / 595).toBeCloseTo(1, 1);
  });

  // Losses at 10 and 7 segments: the curve ends at 85 % of 7, but the Reno-friendly region grows by
  // 0.53 segments per RTT up to 7.
  test("grows as fast as Reno once the window before the loss is back (RFC 9438 4.3)", () => {
    const cubic = new Cubic(MSS);
    cubic.cwnd = 10 * MSS;
    cubic.onLoss(10 * MSS);
    cubic.onLoss(7 * MSS);
    const grown = [1, 2, 3, 4, 5].map(() => {
      const before = cubic.cwnd;
      cubic.onAck(sample({ now: 1, bytes: before }));
      return Number(((cubic.cwnd - before) / MSS).toFixed(2));
    });
    expect(grown).toEqual([0.53, 0.53, 0.53, 0.53, 1]);
  });

  test("does not grow while application-limited (RFC 9438 5.8)", () => {
    const cubic = afterLoss();
    for (let i = 0; i < 1000; i++) cubic.onAck(sample({ now: 10_000, limited: false }));
    expect(cubic.cwnd).toBeCloseTo(700 * MSS);
  });
});

describe("RateReduction", () => {
  // The flight is to shrink from 20 to 14 segments: 7 are sent for each 10 delivered.
  test("sends in proportion to delivered data (RFC 9937 6)", () => {
    const reduction = new RateReduction();
    reduction.begin(20 * MSS);
    let [inFlight, sent] = [19 * MSS, 0];
    for (let i = 0; i < 6; i++) {
      inFlight -= MSS;
      const window = reduction.window(MSS, inFlight, 14 * MSS, MSS, false);
      while (window - inFlight >= MSS) {
        reduction.sent(MSS);
        inFlight += MSS;
        sent++;
      }
    }
    expect(sent).toBeGreaterThanOrEqual(4);
    expect(sent).toBeLessThanOrEqual(5);
  });
});

describe("MaxFilter", () => {
  test("forgets values older than its window of rounds", () => {
    const filter = new MaxFilter();
    expect(filter.max).toBe(0);
    const maxima = [9, 5, 7, 1, 2, 2].map((value, round) => {
      filter.add(value, round, 3);
      return filter.max;
    });
    expect(maxima).toEqual([9, 9, 9, 7, 7, 2]);
  });
});
