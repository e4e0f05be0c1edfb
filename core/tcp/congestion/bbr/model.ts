import type { FieldCodec } from "../../frozen/field_codec.ts";
import { type DeliverySample, initialWindow } from "../control.ts";
import { AckAggregation } from "./aggregation.ts";
import { FullBandwidth } from "./full_bandwidth.ts";
import { LongTermModel } from "./long_term.ts";
import { MaxBandwidth } from "./max_bandwidth.ts";
import { MinRtt } from "./min_rtt.ts";
import { MAX_SEND_QUANTUM, MIN_PIPE_SEGMENTS, SEND_QUANTUM_MS } from "./parameters.ts";
import { Rounds } from "./rounds.ts";
import { ShortTermModel } from "./short_term.ts";

/** The model of the path (3.4). Bandwidth in bytes per millisecond, volumes in bytes. */
export class PathModel {
  mss: number;
  readonly rounds: Rounds = new Rounds();
  readonly maxBandwidth: MaxBandwidth = new MaxBandwidth();
  readonly minRtt: MinRtt = new MinRtt();
  readonly full: FullBandwidth = new FullBandwidth();
  readonly aggregation: AckAggregation = new AckAggregation();
  readonly shortTerm: ShortTermModel = new ShortTermModel();
  readonly longTerm: LongTermModel = new LongTermModel();
  /** `BBR.bw`. */
  bandwidth = 0;
  /** The window was full in this or the last round (`C.is_cwnd_limited`). */
  isCwndLimited = false;
  #isFullThisRound = false;

  constructor(mss: number) {
    this.mss = mss;
  }

  visitFields(codec: FieldCodec): void {
    this.mss = codec.count("mss", this.mss, 0xffff);
    codec.part("rounds", () => this.rounds.visitFields(codec));
    codec.part("maxBandwidth", () => this.maxBandwidth.visitFields(codec));
    codec.part("minRtt", () => this.minRtt.visitFields(codec));
    codec.part("full", () => this.full.visitFields(codec));
    codec.part("aggregation", () => this.aggregation.visitFields(codec));
    codec.part("shortTerm", () => this.shortTerm.visitFields(codec));
    codec.part("longTerm", () => this.longTerm.visitFields(codec));
    this.bandwidth = codec.limit("bandwidth", this.bandwidth);
    this.isCwndLimited = codec.flag("isCwndLimited", this.isCwndLimited);
    this.#isFullThisRound = codec.flag("isFullThisRound", this.#isFullThisRound);
  }

  /** First step of an acknowledgement: rounds, bandwidth, window use. */
  update(rs: DeliverySample, limited: boolean): void {
    this.shortTerm.updateLatest(rs);
    this.rounds.update(rs);
    this.maxBandwidth.update(rs);
    if (this.rounds.starts) {
      this.isCwndLimited = this.#isFullThisRound;
      this.#isFullThisRound = false;
    }
    if (limited) this.isCwndLimited = this.#isFullThisRound = true;
  }

  /** `BoundBWForModel`. */
  boundBandwidth(): void {
    this.bandwidth = Math.min(this.maxBandwidth.value, this.shortTerm.bandwidth);
  }

  get minPipe(): number {
    return MIN_PIPE_SEGMENTS * this.mss;
  }

  /** `BDPMultiple` (5.6.4.2). */
  bdp(gain: number, bandwidth: number = this.bandwidth): number {
    if (this.minRtt.value === Infinity) return initialWindow(this.mss);
    return gain * bandwidth * this.minRtt.value;
  }

  /** `Inflight`: the volume that keeps the path and both hosts busy at a bandwidth. */
  inflight(pacingRate: number, bandwidth: number = this.bandwidth): number {
    return this.#budget(this.bdp(1, bandwidth), pacingRate);
  }

  /** `BBR.max_inflight`. */
  maxInflight(gain: number, pacingRate: number): number {
    return this.#budget(this.bdp(gain) + this.aggregation.extraAcked, pacingRate);
  }

  /** `QuantizationBudget`: one quantum in the sender, one in the network, one in the receiver. */
  #budget(volume: number, pacingRate: number): number {
    const quantum = Math.min(pacingRate * SEND_QUANTUM_MS, MAX_SEND_QUANTUM);
    return Math.max(volume, 3 * Math.max(quantum, 2 * this.mss), this.minPipe);
  }

  /** `InflightWithHeadroom`. */
  inflightWithHeadroom(): number {
    return this.longTerm.withHeadroom(this.mss, this.minPipe);
  }
}
