/**
 * BBR version 3 (draft-ietf-ccwg-bbr): window and pacing rate follow a model of the path:
 * bandwidth, minimum round-trip time, and bounds learned from losses. The sections in comments and
 * the names in the model are the draft's.
 *
 * @module
 */
import { type FieldCodec, optionalReal, optionalTime } from "../../frozen/field_codec.ts";
import {
  type AckSample,
  type CongestionControl,
  type DeliverySample,
  initialWindow,
  type LostSegment,
} from "../control.ts";
import { inflightAtLoss, isInflightTooHigh } from "./long_term.ts";
import { PathModel } from "./model.ts";
import * as P from "./parameters.ts";
import { ProbeWait } from "./probe_wait.ts";
import { StartupLoss } from "./startup_loss.ts";
import { UndoState } from "./undo_state.ts";

/** 5.1; `down` to `up` are the states of ProbeBW. */
export type BbrState = "startup" | "drain" | "down" | "cruise" | "refill" | "up" | "probe-rtt";

/** `BBR.ack_phase` (2.12). */
type AckPhase = "init" | "refilling" | "starting" | "feedback" | "stopping";

/** The format of moved connections stores indexes into these arrays, so new states and phases go at the end. */
const STATES: readonly BbrState[] = [
  "startup",
  "drain",
  "down",
  "cruise",
  "refill",
  "up",
  "probe-rtt",
];
const ACK_PHASES: readonly AckPhase[] = ["init", "refilling", "starting", "feedback", "stopping"];

/** The pacing gain in each state (5.6.1). */
const PACING_GAIN: Readonly<Record<BbrState, number>> = {
  startup: P.STARTUP_PACING_GAIN,
  drain: P.DRAIN_PACING_GAIN,
  down: P.DOWN_PACING_GAIN,
  cruise: 1,
  refill: 1,
  up: P.UP_PACING_GAIN,
  "probe-rtt": 1,
};

/** The state machine, and the control parameters. */
export class Bbr implements CongestionControl {
  readonly reducesProportionally = false;
  readonly samplesRate = true;
  cwnd: number;
  ssthresh: number = Infinity;
  pacingRate: number | undefined = undefined;
  state: BbrState = "startup";
  readonly model: PathModel;
  readonly #startupLoss = new StartupLoss();
  readonly #probeWait = new ProbeWait();
  #ackPhase: AckPhase = "init";
  /** In fast recovery, or after a timeout. */
  #recovering = false;
  /** Kept after recovery: a D-SACK may show later that it was spurious. */
  #undo: UndoState | undefined = undefined;
  /** {@link Bbr.#undo} holds the state before the current loss episode. */
  #isSaved = false;
  /** The window before recovery or ProbeRTT reduced it. */
  #priorCwnd = 0;
  #drainStartRound = 0;
  #idleRestart = false;
  /** Samples belong to a bandwidth probe that has had no excessive loss so far. */
  #isProbeSample = false;
  #prevProbeTooHigh = false;
  #prevProbePrecautionary = false;
  #probeRttEnds: number | undefined = undefined;
  #probeRttRoundDone = false;

  constructor(mss: number) {
    this.model = new PathModel(mss);
    this.cwnd = initialWindow(mss);
  }

  visitFields(codec: FieldCodec): void {
    this.cwnd = codec.real("cwnd", this.cwnd);
    this.ssthresh = codec.limit("ssthresh", this.ssthresh);
    this.pacingRate = optionalReal(codec, "pacingRate", this.pacingRate);
    this.state = codec.choice("state", this.state, STATES);
    codec.part("model", () => this.model.visitFields(codec));
    codec.part("startupLoss", () => this.#startupLoss.visitFields(codec));
    codec.part("probeWait", () => this.#probeWait.visitFields(codec));
    this.#ackPhase = codec.choice("ackPhase", this.#ackPhase, ACK_PHASES);
    this.#recovering = codec.flag("recovering", this.#recovering);
    this.#undo = codec.optional("undo", this.#undo, () => new UndoState(this.model), (undo) => {
      codec.part("undo", () => undo.visitFields(codec));
      return undo;
    });
    this.#isSaved = this.#recovering && this.#undo !== undefined;
    this.#priorCwnd = codec.real("priorCwnd", this.#priorCwnd);
    this.#drainStartRound = codec.count("drainStartRound", this.#drainStartRound);
    this.#idleRestart = codec.flag("idleRestart", this.#idleRestart);
    this.#isProbeSample = codec.flag("isProbeSample", this.#isProbeSample);
    this.#prevProbeTooHigh = codec.flag("prevProbeTooHigh", this.#prevProbeTooHigh);
    this.#prevProbePrecautionary = codec.flag(
      "prevProbePrecautionary",
      this.#prevProbePrecautionary,
    );
    this.#probeRttEnds = optionalTime(codec, "probeRttEnds", this.#probeRttEnds);
    this.#probeRttRoundDone = codec.flag("probeRttRoundDone", this.#probeRttRoundDone);
  }

  setMss(mss: number): void {
    // The initial window depends on the MSS, which is only known from the peer's SYN.
    if (this.cwnd === initialWindow(this.model.mss)) this.cwnd = initialWindow(mss);
    this.model.mss = mss;
  }

  // ------------------------------------------------------------ acknowledgements (5.2.3)

  onAck(sample: AckSample): void {
    const { model } = this;
    const { rate: rs, bytes, now } = sample;
    if (rs === undefined) return;
    model.update(rs, sample.limited);
    if (model.shortTerm.roundStarts) this.#endLossRound(rs);
    const { rounds, full, bandwidth } = model;
    model.aggregation.update(bytes, bandwidth, this.cwnd, now, rounds.count, full.reached);
    full.check(rounds.starts, rs);
    if (this.state === "startup" && full.reached) this.#enterDrain();
    if (this.state === "drain" && this.#isDrained(sample.inFlight)) this.#startDown(rs, now);
    if (full.reached) this.#updateCycle(sample, rs);
    model.minRtt.update(sample.rtt, now);
    this.#checkProbeRtt(sample, rs);
    model.shortTerm.advanceLatest(rs);
    model.boundBandwidth();
    this.#setPacingRate(PACING_GAIN[this.state], sample.srtt);
    this.#setCwnd(bytes, rs.delivered);
  }

  /** Adapts the bounds to the losses of a round trip (5.5.10.3). */
  #endLossRound(rs: DeliverySample): void {
    const { shortTerm, maxBandwidth } = this.model;
    if (this.state === "startup") this.#checkStartupLoss(rs);
    this.#startupLoss.reset();
    const isProbing = this.state === "startup" || this.state === "refill" || this.state === "up";
    if (shortTerm.lossInRound && !isProbing) shortTerm.adapt(maxBandwidth.value, this.cwnd);
    shortTerm.lossInRound = false;
  }

  // ------------------------------------------------------------ Startup and Drain (5.3.1, 5.3.2)

  /** 5.3.1.3: a round in fast recovery, with too many losses in several ranges. */
  #checkStartupLoss(rs: DeliverySample): void {
    const isHigh = this.#recovering && this.#startupLoss.isHigh &&
      isInflightTooHigh(rs.lost - rs.priorLost, rs.txInFlight, true);
    if (isHigh) this.#leaveStartup();
  }

  #leaveStartup(): void {
    const { full, longTerm, shortTerm } = this.model;
    this.#noteLeft("startup");
    full.reached = full.now = true;
    longTerm.inflight = Math.max(this.model.bdp(1), shortTerm.latestInflight);
    this.#enterDrain();
  }

  #enterDrain(): void {
    this.state = "drain";
    this.#drainStartRound = this.model.rounds.count;
  }

  #isDrained(inFlight: number): boolean {
    return inFlight <= this.model.inflight(this.pacingRate ?? 0) ||
      this.model.rounds.count > this.#drainStartRound + P.DRAIN_ROUNDS;
  }

  // ------------------------------------------------------------ ProbeBW (5.3.3.9)

  get #isInProbeBw(): boolean {
    const { state } = this;
    return state === "down" || state === "cruise" || state === "refill" || state === "up";
  }

  #startDown(rs: DeliverySample, now: number): void {
    const { model } = this;
    model.shortTerm.resetSignals();
    model.longTerm.stopGrowth();
    model.rounds.sinceProbe = this.#probeWait.start(now, rs.delivered);
    model.rounds.restart(rs.delivered);
    this.#ackPhase = "stopping";
    this.state = "down";
  }

  #startRefill(rs: DeliverySample): void {
    const { model } = this;
    model.shortTerm.resetBounds();
    model.longTerm.resetGrowth();
    model.rounds.restart(rs.delivered);
    this.#prevProbePrecautionary = false;
    this.#ackPhase = "refilling";
    this.state = "refill";
  }

  #startUp(rs: DeliverySample): void {
    const { model } = this;
    model.rounds.restart(rs.delivered);
    model.full.reset(rs.rate);
    model.longTerm.raiseSlope(this.cwnd, model.mss);
    this.#isProbeSample = true;
    this.#ackPhase = "starting";
    this.state = "up";
  }

  #updateCycle(sample: AckSample, rs: DeliverySample): void {
    const { now, inFlight } = sample;
    if (this.#adaptLongTerm(sample, rs)) return;
    if (this.state === "down" || this.state === "cruise") {
      if (this.#isTimeToProbe(now)) this.#startRefill(rs);
      else if (this.state === "down" && this.#isTimeToCruise(inFlight)) this.state = "cruise";
    } else if (this.state === "refill") {
      if (this.model.rounds.starts) this.#startUp(rs);
    } else if (this.state === "up" && this.#isTimeToGoDown(inFlight, rs)) {
      this.#prevProbeTooHigh = false;
      this.#startDown(rs, now);
    }
  }

  /** Returns whether the state has changed. */
  #adaptLongTerm({ bytes, hasSack }: AckSample, rs: DeliverySample): boolean {
    const { rounds, longTerm, maxBandwidth } = this.model;
    if (this.#ackPhase === "starting" && rounds.starts) this.#ackPhase = "feedback";
    if (this.#ackPhase === "stopping" && rounds.starts) {
      this.#isProbeSample = false;
      this.#ackPhase = "init";
      if (this.#isInProbeBw && !rs.isApplicationLimited) maxBandwidth.advance();
      // The short probe succeeded: another one follows, for a whole round.
      if (this.#isInProbeBw && this.#prevProbePrecautionary && !this.#prevProbeTooHigh) {
        this.#startRefill(rs);
        return true;
      }
    }
    const isTooHigh = isInflightTooHigh(rs.lost - rs.priorLost, rs.txInFlight, hasSack);
    if (isTooHigh || longTerm.inflight === Infinity) return false;
    longTerm.inflight = Math.max(longTerm.inflight, rs.txInFlight);
    if (this.state === "up") this.#growLongTerm(bytes);
    return false;
  }

  #growLongTerm(newlyAcked: number): void {
    const { isCwndLimited, longTerm, rounds, mss } = this.model;
    if (!isCwndLimited || this.cwnd < longTerm.inflight) return;
    longTerm.grow(newlyAcked, mss);
    if (rounds.starts) longTerm.raiseSlope(this.cwnd, mss);
  }

  #isTimeToProbe(now: number): boolean {
    const segments = this.#targetInflight() / this.model.mss;
    return this.#probeWait.isOver(now) ||
      this.model.rounds.sinceProbe >= Math.min(segments, P.RENO_COEXISTENCE_ROUNDS);
  }

  #targetInflight(): number {
    return Math.min(this.model.bdp(1), this.cwnd);
  }

  #isTimeToCruise(inFlight: number): boolean {
    const { model } = this;
    return inFlight <= model.inflightWithHeadroom() &&
      inFlight <= model.inflight(this.pacingRate ?? 0, model.maxBandwidth.value);
  }

  #isTimeToGoDown(inFlight: number, rs: DeliverySample): boolean {
    const { isCwndLimited, longTerm, full } = this.model;
    if (this.#prevProbeTooHigh && inFlight >= longTerm.inflight) {
      this.#prevProbePrecautionary = true;
      return true;
    }
    if (isCwndLimited && this.cwnd >= longTerm.inflight) {
      full.reset(rs.rate);
      return false;
    }
    return full.now;
  }

  // ------------------------------------------------------------ ProbeRTT (5.3.4.3)

  #checkProbeRtt(sample: AckSample, rs: DeliverySample): void {
    const { rounds, minRtt } = this.model;
    if (this.state !== "probe-rtt" && minRtt.probeIsDue && !this.#idleRestart) {
      this.state = "probe-rtt";
      this.#saveCwnd();
      this.#probeRttEnds = undefined;
      this.#ackPhase = "stopping";
      rounds.restart(rs.delivered);
    }
    if (this.state === "probe-rtt") this.#handleProbeRtt(sample, rs);
    this.#idleRestart = false;
  }

  #handleProbeRtt({ inFlight, now }: AckSample, rs: DeliverySample): void {
    const { rounds } = this.model;
    // The window limits the rate.
    rs.markApplicationLimited(inFlight);
    if (this.#probeRttEnds === undefined) {
      if (inFlight > this.#probeRttCwnd()) return;
      this.#probeRttEnds = now + P.PROBE_RTT_DURATION_MS;
      this.#probeRttRoundDone = false;
      rounds.restart(rs.delivered);
      return;
    }
    if (rounds.starts) this.#probeRttRoundDone = true;
    if (this.#probeRttRoundDone) this.#checkProbeRttDone(rs, now);
  }

  #checkProbeRttDone(rs: DeliverySample, now: number): void {
    if (this.#probeRttEnds === undefined || now <= this.#probeRttEnds) return;
    const { minRtt, shortTerm, full } = this.model;
    minRtt.probed(now);
    this.#restoreCwnd();
    shortTerm.resetBounds();
    if (full.reached) {
      this.#startDown(rs, now);
      this.state = "cruise";
    } else {
      this.state = "startup";
    }
  }

  #probeRttCwnd(): number {
    return Math.max(this.model.bdp(P.PROBE_RTT_CWND_GAIN), this.model.minPipe);
  }

  // ------------------------------------------------------------ losses (5.5.10, 5.5.11)

  onSegmentLost(segment: LostSegment, rs: DeliverySample, now: number, hasSack: boolean): void {
    this.#noteLoss(rs);
    this.#startupLoss.noteLost(segment.start, segment.end);
    // Without SACK, only one loss per round trip is visible.
    if (!hasSack && this.state === "startup" && this.#recovering) this.#leaveStartup();
    if (!this.#isProbeSample) return;
    const { txInFlight, applicationLimited } = segment;
    const lost = rs.lost - segment.lostBefore;
    if (!isInflightTooHigh(lost, txInFlight, hasSack)) return;
    const size = (segment.end - segment.start) | 0;
    const safe = inflightAtLoss(size, txInFlight, lost);
    this.#handleInflightTooHigh(safe, applicationLimited, rs, now);
  }

  #noteLoss(rs: DeliverySample): void {
    if (!this.model.shortTerm.noteLoss(rs.delivered)) return;
    // Undo restores the state before recovery, however many rounds it lasts.
    if (!this.#recovering || !this.#isSaved) this.#saveState();
  }

  #saveState(): void {
    this.#saveCwnd();
    this.#undo = new UndoState(this.model);
    this.#isSaved = true;
  }

  /** Records that the loss episode has ended `state`, so that undo can return to it. */
  #noteLeft(state: "startup" | "up"): void {
    if (this.#isSaved) this.#undo!.left = state;
  }

  #handleInflightTooHigh(
    inFlight: number,
    applicationLimited: boolean,
    rs: DeliverySample,
    now: number,
  ): void {
    this.#prevProbeTooHigh = true;
    this.#isProbeSample = false;
    if (!applicationLimited) {
      this.model.longTerm.inflight = Math.max(inFlight, this.#targetInflight() * P.BETA);
    }
    if (this.state !== "up") return;
    this.#noteLeft("up");
    this.#startDown(rs, now);
  }

  /** The draft defines no response to ECN: a mark counts as too many losses in its round (3.7). */
  onCongestionEcho(rs: DeliverySample, now: number): void {
    this.onTailLoss(rs);
    if (this.state === "startup") this.#leaveStartup();
    else if (this.#isProbeSample) {
      this.#handleInflightTooHigh(rs.txInFlight, rs.isApplicationLimited, rs, now);
    }
  }

  onTailLoss(rs: DeliverySample): void {
    this.model.shortTerm.noteLoss(rs.delivered);
  }

  /** Saves the window before recovery reduces it (5.6.4.4). */
  onLoss(): void {
    if (!this.#isSaved) this.#saveState();
    this.#saveCwnd();
    this.#recovering = true;
  }

  onTimeout(): void {
    if (!this.#isSaved) this.#saveState();
    this.#saveCwnd();
    this.#recovering = true;
    this.cwnd = this.model.mss;
  }

  onRecovered(): void {
    this.#recovering = this.#isSaved = false;
    this.#restoreCwnd();
  }

  onSpuriousLoss(rs: DeliverySample): void {
    const undo = this.#undo;
    this.onRecovered();
    this.#undo = undefined;
    if (undo === undefined) return;
    undo.restore(this.model);
    if (undo.left === "startup" && this.state !== "startup") {
      this.model.full.reached = false;
      if (this.state !== "probe-rtt") this.state = "startup";
    } else if (undo.left === "up" && this.state !== "up" && this.state !== "probe-rtt") {
      this.#startRefill(rs);
    }
  }

  #saveCwnd(): void {
    const isModulated = this.#recovering || this.state === "probe-rtt";
    this.#priorCwnd = isModulated ? Math.max(this.#priorCwnd, this.cwnd) : this.cwnd;
  }

  #restoreCwnd(): void {
    this.cwnd = Math.max(this.cwnd, this.#priorCwnd);
  }

  // ------------------------------------------------------------ idle (5.4.1)

  onIdle(): void {}

  onRestart(rs: DeliverySample, now: number): void {
    if (!rs.applicationIsLimit) return;
    this.#idleRestart = true;
    this.model.aggregation.restart(now);
    if (this.#isInProbeBw) this.#setPacingRate(1, 0);
    else if (this.state === "probe-rtt") this.#checkProbeRttDone(rs, now);
  }

  // ------------------------------------------------------------ control parameters (5.6)

  #setPacingRate(gain: number, srtt: number): void {
    const { model } = this;
    const slowest = model.mss / P.SLOWEST_SEGMENT_MS;
    const rate = Math.max(gain * model.bandwidth * P.PACING_MARGIN, slowest);
    if (this.pacingRate !== undefined) {
      if (model.full.reached || rate > this.pacingRate) this.pacingRate = rate;
    } else if (srtt > 0) {
      this.pacingRate = Math.max(P.STARTUP_PACING_GAIN * initialWindow(model.mss) / srtt, rate);
    }
  }

  #setCwnd(newlyAcked: number, delivered: number): void {
    const { model } = this;
    const gain = this.state === "up"
      ? P.UP_CWND_GAIN
      : this.state === "probe-rtt"
      ? P.PROBE_RTT_CWND_GAIN
      : P.DEFAULT_CWND_GAIN;
    const upSegments = this.state === "up" ? 2 * model.mss : 0;
    const most = model.maxInflight(gain, this.pacingRate ?? 0) + upSegments;
    const grown = this.cwnd + newlyAcked;
    if (model.full.reached) this.cwnd = Math.min(grown, most);
    else if (this.cwnd < most || delivered < initialWindow(model.mss)) this.cwnd = grown;
    this.cwnd = Math.max(this.cwnd, model.minPipe);
    if (this.state === "probe-rtt") this.cwnd = Math.min(this.cwnd, this.#probeRttCwnd());
    this.cwnd = Math.min(this.cwnd, this.#cwndBound());
  }

  /** `BoundCwndForModel` (5.6.4.7). */
  #cwndBound(): number {
    const { longTerm, shortTerm, minPipe } = this.model;
    let bound = Infinity;
    if (this.state === "cruise" || this.state === "probe-rtt") {
      bound = this.model.inflightWithHeadroom();
    } else if (this.#isInProbeBw) bound = longTerm.inflight;
    return Math.max(Math.min(bound, shortTerm.inflight), minPipe);
  }
}
