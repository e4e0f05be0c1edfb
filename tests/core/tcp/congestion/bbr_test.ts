import { describe, expect, test } from "bun:test";
import type { Bbr, BbrState } from "../../../../core/tcp/congestion/bbr/bbr.ts";
import { Path } from "../../../snapshot/path.ts";
import type { FlowOptions, PathOptions } from "../../../snapshot/path.ts";

const MSS = 1448;
/** 10 Mbit/s in bytes per millisecond. */
const RATE = 1250;
const RTT_MS = 50;
const BDP = RATE * RTT_MS;
/** Rate without headers. */
const GOODPUT = RATE * MSS / 1500;

/** One flow over 10 Mbit/s and 50 ms, with observation of its state. */
class Observed {
  readonly path: Path;
  readonly states: BbrState[] = [];
  /** Called after each step. */
  watch: (bbr: Bbr) => void = () => {};

  constructor(options: Partial<PathOptions> = {}, flow: Partial<FlowOptions> = {}) {
    const conditions = {
      delayMs: RTT_MS / 2,
      bytesPerMs: RATE,
      queueBytes: BDP,
      ...options.conditions,
    };
    const flows = [{ congestion: "bbr" as const, ...flow }];
    this.path = new Path({ seed: 1, ...options, conditions, flows });
    this.path.afterStep = () => {
      if (this.path.flows.length === 0) return;
      if (this.states.at(-1) !== this.bbr.state) this.states.push(this.bbr.state);
      this.watch(this.bbr);
    };
  }

  get bbr(): Bbr {
    return this.path.flows[0]!.tcb.congestion as Bbr;
  }

  run(ms: number): this {
    this.path.run(ms);
    return this;
  }

  /** Runs until BBR is in `state`, for at most 20 s. */
  runTo(state: BbrState): this {
    for (let ms = 0; ms < 20_000 && this.bbrState !== state; ms++) this.path.run(1);
    expect(this.bbrState).toBe(state);
    return this;
  }

  get bbrState(): BbrState | undefined {
    return this.path.flows.length === 0 ? undefined : this.bbr.state;
  }

  /** Changes the conditions of the path. */
  change(changes: Partial<PathOptions["conditions"]>): this {
    this.path.wire.conditions = { ...this.path.wire.conditions, ...changes };
    return this;
  }

  /** Runs for `ms` milliseconds; returns the goodput as a share of `rate`. */
  use(ms: number, rate = GOODPUT): number {
    const before = this.path.received[0] ?? 0;
    this.run(ms);
    return (this.path.received[0]! - before) / ms / rate;
  }
}

describe("Startup and Drain", () => {
  // The rate doubles each round up to the plateau; the queue is drained after one round.
  test("end at the plateau of the delivery rate (BBR draft 5.3.1.2, 5.3.2)", () => {
    const flow = new Observed();
    flow.runTo("drain");
    const { maxBandwidth, full, rounds } = flow.bbr.model;
    expect(maxBandwidth.value / GOODPUT).toBeCloseTo(1, 1);
    expect(full.reached).toBe(true);
    const drainRound = rounds.count;
    flow.runTo("cruise");
    expect(rounds.count - drainRound).toBeLessThanOrEqual(2);
  });

  // The buffer is a tenth of the flight: losses show that the pipe is full before the rate does.
  test("end by several loss ranges in a round (BBR draft 5.3.1.3)", () => {
    const flow = new Observed({ conditions: { loss: 0.1 } }, { bytesPerMs: 500 });
    flow.run(5000);
    expect(flow.bbr.model.full.reached).toBe(true);
    expect(flow.bbr.model.longTerm.inflight).toBeLessThan(Infinity);
  });

  // The application sends at a third of the path's rate, without losses: there is no plateau.
  test("do not end while application-limited (BBR draft appendix, 5.3.1.2)", () => {
    const flow = new Observed({}, { bytesPerMs: 400 });
    flow.run(4000);
    expect(flow.states).toEqual(["startup"]);
  });

  // The writer always has more data, but the send buffer is a twelfth of the path's BDP: the
  // delivery rate stops growing, whatever the pacing rate.
  test("end where the send buffer is the limit (BBR draft 4.1.2.4, 5.3.1.2)", () => {
    const flow = new Observed({ conditions: { bytesPerMs: 100 * RATE } }, { sendBuffer: 2 ** 19 });
    flow.run(1000);
    expect(flow.bbr.model.full.reached).toBe(true);
    expect(flow.use(500, 2 ** 19 / RTT_MS)).toBeGreaterThan(0.95);
  });

  // The path becomes slower during Drain: three rounds later it ends anyway.
  test("end Drain after three rounds (BBR draft 5.3.2)", () => {
    const flow = new Observed({ conditions: { queueBytes: 20 * BDP } });
    flow.runTo("drain").change({ bytesPerMs: RATE / 4 });
    const { rounds } = flow.bbr.model;
    const began = rounds.count;
    flow.runTo("down");
    expect(rounds.count - began).toBe(4);
  });
});

describe("ProbeBW", () => {
  test("goes through DOWN, CRUISE, REFILL and UP (BBR draft 5.3.3)", () => {
    const { states } = new Observed().run(4500);
    expect(states).toEqual(["startup", "drain", "cruise", "refill", "up", "down", "cruise"]);
  });

  // Gains of 1.25, 0.9 and 1, less 1 %.
  test("paces at the gain of its state (BBR draft 5.6.1, 5.6.2)", () => {
    const flow = new Observed();
    for (
      const [state, gain] of [["cruise", 1], ["refill", 1], ["up", 1.25], ["down", 0.9]] as const
    ) {
      flow.runTo(state).run(1);
      expect(flow.bbr.pacingRate! / flow.bbr.model.bandwidth).toBeCloseTo(gain * 0.99);
    }
  });

  test("uses 97 % of a lossless path with almost no queue (BBR draft 3.1)", () => {
    const flow = new Observed().run(2000);
    expect(flow.use(3000)).toBeGreaterThan(0.97);
    flow.runTo("refill");
    expect(flow.path.flows[0]!.tcb.srttUs).toBeLessThan(1100 * RTT_MS);
  });

  // Ten times the bandwidth is found within some round trips of the next probe.
  test("adapts to ten times the bandwidth (BBR draft appendix, 5.3.3.5)", () => {
    const flow = new Observed({ conditions: { bytesPerMs: RATE / 10 } }).run(3000);
    flow.change({ bytesPerMs: RATE }).run(8000);
    expect(flow.use(3000)).toBeGreaterThan(0.9);
  });

  // A tenth of the bandwidth: losses bound the rate at once, and the old bandwidth expires two
  // cycles later.
  test("adapts to a tenth of the bandwidth (BBR draft appendix, 5.5.6)", () => {
    const flow = new Observed().run(2000).change({ bytesPerMs: RATE / 10 });
    flow.run(12_000);
    expect(flow.bbr.model.maxBandwidth.value / (GOODPUT / 10)).toBeLessThan(1.1);
    expect(flow.use(3000, GOODPUT / 10)).toBeGreaterThan(0.9);
  });

  // The loss rate is too high: the probe ends, and inflight is bounded.
  test("leaves UP when the loss rate is too high (BBR draft 5.5.10.2)", () => {
    const flow = new Observed().runTo("up").change({ loss: 0.1 });
    flow.runTo("down").change({ loss: 0 });
    expect(flow.bbr.model.longTerm.inflight).toBeLessThan(2 * BDP);
    expect(flow.bbr.model.full.now).toBe(false);
  });

  // The application is the limit, so that no plateau can be seen; losses still end the probe, and
  // say nothing about how much the path carries.
  test("leaves UP by losses while application-limited (BBR draft appendix, 5.5.10.2)", () => {
    const flow = new Observed().runTo("up");
    flow.path.limit(0, RATE / 2);
    flow.run(100).change({ loss: 0.2 });
    flow.runTo("down");
    expect(flow.bbr.model.full.now).toBe(false);
  });

  // The path slows down when UP ends, and the flight stays above the target: 2 to 3 s later
  // bandwidth is probed again, without CRUISE.
  test("goes from DOWN to REFILL when the wait is over (BBR draft appendix, 5.3.3.6)", () => {
    const flow = new Observed({ conditions: { queueBytes: 50 * BDP } }).runTo("down");
    const began = flow.path.now;
    flow.change({ bytesPerMs: RATE / 5 }).runTo("refill");
    expect(flow.states.slice(-2)).toEqual(["down", "refill"]);
    expect(flow.path.now - began).toBeGreaterThan(2000);
  });

  // After losses in DOWN the rate is bounded below the path's, but how far the queue has to be
  // drained depends on the maximum bandwidth.
  test("drains to the maximum bandwidth's share (BBR draft 5.3.3.9, IsTimeToCruise)", () => {
    const flow = new Observed().runTo("cruise");
    const { model } = flow.bbr;
    model.shortTerm.bandwidth = model.maxBandwidth.value / 2;
    model.boundBandwidth();
    expect(model.inflight(0) / BDP).toBeCloseTo(0.5, 1);
    expect(model.inflight(0, model.maxBandwidth.value) / BDP).toBeCloseTo(1, 1);
  });

  // Application-limited samples say nothing about the path.
  test("keeps its bandwidth estimate while application-limited (BBR draft 5.5.4)", () => {
    const flow = new Observed({}, { bytesPerMs: 200 }).run(500);
    const before = flow.bbr.model.maxBandwidth.value;
    flow.run(10_000);
    expect(flow.bbr.model.maxBandwidth.value).toBeGreaterThanOrEqual(before);
  });

  // Losses outside a probe: rate and inflight follow the delivered data, down to 70 % per round
  // trip.
  test("bounds rate and inflight after a loss in CRUISE (BBR draft 5.5.10.3)", () => {
    const flow = new Observed().runTo("cruise").run(300).change({ loss: 0.02 });
    let least = Infinity;
    flow.watch = ({ model }) => (least = Math.min(least, model.shortTerm.bandwidth));
    flow.run(1000);
    expect(least).toBeLessThan(GOODPUT);
    flow.change({ loss: 0 }).runTo("refill");
    expect(flow.bbr.model.shortTerm.bandwidth).toBe(Infinity);
  });
});

describe("ProbeRTT", () => {
  // Half the bandwidth-delay product for 200 ms and a round trip, every five seconds.
  test("halves the flight for 200 ms (BBR draft 5.3.4)", () => {
    const flow = new Observed().runTo("probe-rtt");
    const began = flow.path.now;
    let least = Infinity;
    flow.watch = ({ cwnd }) => (least = Math.min(least, cwnd));
    flow.runTo("cruise");
    expect(flow.path.now - began).toBeGreaterThan(200);
    expect(flow.path.now - began).toBeLessThan(200 + 3 * RTT_MS);
    expect(least / BDP).toBeGreaterThan(0.45);
    expect(least / BDP).toBeLessThan(0.55);
  });

  test("returns to Startup if the pipe was never full (BBR draft 5.3.4.4)", () => {
    const flow = new Observed({}, { bytesPerMs: 400 });
    flow.run(9000);
    expect(flow.states.slice(0, 3)).toEqual(["startup", "probe-rtt", "startup"]);
  });
});

describe("Idle", () => {
  // Six seconds without data: the queue has been empty for long enough to measure the round trip.
  test("counts as a probe of the round-trip time (BBR draft appendix, 5.4.1)", () => {
    const flow = new Observed({}, { sendBuffer: 2 ** 18 }).runTo("cruise");
    flow.path.limit(0, 0);
    flow.run(6000);
    flow.path.limit(0, undefined);
    flow.run(1000);
    expect(flow.states).not.toContain("probe-rtt");
  });
});

describe("Spurious losses", () => {
  // Half of the packets of 10 ms are 80 ms late. UP ends, the originals arrive, and a probe begins again with a round
  // of REFILL: the acknowledgements of originals do not count as round trips.
  test("return to the probe that they have ended (BBR draft appendix, 5.5.11.2)", () => {
    const flow = new Observed().runTo("up").run(30).change({ reorder: 0.5, reorderMs: 80 }).run(10);
    const { longTerm } = flow.bbr.model;
    const before = longTerm.inflight;
    flow.change({ reorder: 0, reorderMs: 0 });
    const at: Partial<Record<BbrState, number>> = {};
    flow.watch = ({ state }) => void (at[state] ??= flow.path.now);
    flow.run(300);
    expect(flow.path.flows[0]!.tcb.loss.spurious).toBeGreaterThan(0);
    expect(flow.states.slice(-4)).toEqual(["up", "down", "refill", "up"]);
    expect(longTerm.inflight).toBeGreaterThanOrEqual(Math.min(before, BDP));
    expect(longTerm.inflight).toBeGreaterThan(BDP);
  });

  // The path is silent for longer than the RTO, and delivers everything afterwards.
  test("are undone after a timeout as well (BBR draft appendix, 5.5.11.2)", () => {
    const flow = new Observed({ conditions: { queueBytes: 8 * BDP } }).runTo("cruise").run(200);
    const { cwnd, model } = flow.bbr;
    const before = model.longTerm.inflight;
    flow.change({ delayMs: RTT_MS / 2 + 600 }).run(20).change({ delayMs: RTT_MS / 2 }).run(2000);
    const { loss } = flow.path.flows[0]!.tcb;
    expect(loss.spurious).toBeGreaterThan(0);
    expect(model.longTerm.inflight).toBe(before);
    expect(flow.bbr.cwnd).toBeGreaterThanOrEqual(Math.min(cwnd, BDP));
  });

  // A D-SACK arrives after the recovery: until then the retransmission seemed necessary.
  test("are undone when recovery has already ended (BBR draft 5.5.11.2)", () => {
    const flow = new Observed().runTo("up");
    const { bbr } = flow;
    const rs = flow.path.flows[0]!.tcb.rate!;
    const before = bbr.model.longTerm.inflight;
    const { delivered, lost } = rs;
    bbr.onSegmentLost(
      {
        start: 0,
        end: MSS,
        txInFlight: MSS * 2,
        lostBefore: lost - MSS,
        applicationLimited: false,
      },
      rs,
      flow.path.now,
      true,
    );
    bbr.onLoss();
    expect(bbr.state).toBe("down");
    expect(bbr.model.longTerm.inflight).toBeLessThan(before);
    bbr.onRecovered();
    bbr.onSpuriousLoss(rs);
    expect(bbr.state).toBe("refill");
    expect(bbr.model.longTerm.inflight).toBe(before);
    expect(rs.delivered).toBe(delivered);
  });
});

describe("Bbr", () => {
  // A bandwidth-delay product below one segment: four segments keep the ACK clock running.
  test("keeps four segments in flight on a path that holds less than one (BBR draft 5.6.4.3)", () => {
    const flow = new Observed({
      conditions: { delayMs: 0.5, bytesPerMs: 125, queueBytes: 15_000 },
    });
    flow.run(3000);
    expect(flow.bbr.cwnd).toBeGreaterThanOrEqual(4 * MSS);
    expect(flow.use(3000, GOODPUT / 10)).toBeGreaterThan(0.95);
  });

  // Acknowledgements arrive every 40 ms: the window covers the data acknowledged together.
  test("keeps sending while acknowledgements are aggregated (BBR draft 5.5.9)", () => {
    const flow = new Observed({ back: { batchMs: 40 } }).run(2000);
    expect(flow.bbr.model.aggregation.extraAcked).toBeGreaterThan(20 * RATE);
    expect(flow.use(4000)).toBeGreaterThan(0.95);
  });

  // A policer has no queue: packets beyond its tokens are dropped.
  test("adapts to the rate of a policer (BBR draft appendix)", () => {
    const flow = new Observed({ conditions: { polices: true, queueBytes: BDP } }).run(5000);
    const sent = flow.path.wire.bytes;
    expect(flow.use(10_000)).toBeGreaterThan(0.85);
    expect((flow.path.wire.bytes - sent) / (10_000 * RATE)).toBeLessThan(1.05);
  });

  // Half of the packets are late: segments marked lost had only been reordered.
  test("restores its bounds after reordering was mistaken for loss (BBR draft 5.5.11.2)", () => {
    const flow = new Observed({ conditions: { reorder: 0.3, reorderMs: 20 } }).run(3000);
    expect(flow.use(5000)).toBeGreaterThan(0.85);
  });

  // CE marks are treated like losses, but come earlier.
  test("slows down when the path marks packets with CE (BBR draft 3.7, RFC 3168 6.1.2)", () => {
    const flow = new Observed({ conditions: { mark: 0.05 } }).run(5000);
    expect(flow.bbr.model.longTerm.inflight).toBeLessThan(2 * BDP);
    const unmarked = new Observed().run(5000);
    expect(flow.path.received[0]!).toBeLessThan(0.98 * unmarked.path.received[0]!);
  });

  // CUBIC keeps the bottleneck's queue filled; both flows still get their share.
  test("shares one bandwidth-delay product of queue with cubic (BBR draft 5.3.3.8)", () => {
    const conditions = { delayMs: RTT_MS / 2, bytesPerMs: RATE, queueBytes: BDP };
    const flows = [{ congestion: "cubic" }, { congestion: "bbr" }] as const;
    const path = new Path({ seed: 1, conditions, flows });
    const before = path.run(10_000).received;
    const [cubic, bbr] = path.run(40_000).received.map((bytes, i) => bytes - before[i]!);
    expect(cubic! / (cubic! + bbr!)).toBeGreaterThan(0.25);
    expect(bbr! / (cubic! + bbr!)).toBeGreaterThan(0.25);
  });
});
