import type { FieldCodec } from "../../frozen/field_codec.ts";
import { HEADROOM, LOSS_THRESHOLD } from "./parameters.ts";

const MAX_GROWTH_ROUNDS = 30;

/**
 * The long-term model: the volume in flight that the path carries without too many losses (5.3.3.9,
 * 5.5.10.2).
 */
export class LongTermModel {
  /** `BBR.inflight_longterm`; `Infinity`: no bound yet. */
  inflight = Infinity;
  #growthRounds = 0;
  #acked = 0;
  /** Acknowledged bytes per segment of growth; `Infinity`: no growth. */
  #ackedPerSegment = Infinity;

  visitFields(codec: FieldCodec): void {
    this.inflight = codec.limit("inflight", this.inflight);
    this.#growthRounds = codec.count("growthRounds", this.#growthRounds);
    this.#acked = codec.real("acked", this.#acked);
    this.#ackedPerSegment = codec.limit("ackedPerSegment", this.#ackedPerSegment);
  }

  /** ProbeBW_REFILL begins: growth starts slowly. */
  resetGrowth(): void {
    this.#growthRounds = 0;
    this.#acked = 0;
  }

  stopGrowth(): void {
    this.#ackedPerSegment = Infinity;
  }

  /** Growth doubles each round: 1, 2, 4, 8 segments, spread over the round. */
  raiseSlope(cwnd: number, mss: number): void {
    const growth = 2 ** this.#growthRounds;
    this.#growthRounds = Math.min(this.#growthRounds + 1, MAX_GROWTH_ROUNDS);
    this.#ackedPerSegment = Math.max(cwnd / growth, mss);
  }

  /** Raises the bound, because the window is full and this bound limits it. */
  grow(newlyAcked: number, mss: number): void {
    this.#acked += newlyAcked;
    if (this.#acked < this.#ackedPerSegment) return;
    const segments = Math.floor(this.#acked / this.#ackedPerSegment);
    this.#acked -= segments * this.#ackedPerSegment;
    this.inflight += segments * mss;
  }

  /** The bound with headroom for other flows. */
  withHeadroom(mss: number, least: number): number {
    if (this.inflight === Infinity) return Infinity;
    return Math.max(this.inflight - Math.max(mss, HEADROOM * this.inflight), least);
  }
}

/** Too many losses. Without SACK, only one loss per round trip is visible. */
export function isInflightTooHigh(lost: number, inFlight: number, hasSack: boolean): boolean {
  return lost > inFlight * LOSS_THRESHOLD || (lost > 0 && !hasSack);
}

/**
 * The volume in flight at which the loss rate crossed the threshold, within a lost range of `size`
 * bytes: a super-packet has many segments. `inFlight` and `lost` include the range.
 */
export function inflightAtLoss(size: number, inFlight: number, lost: number): number {
  const before = inFlight - size;
  const lostBefore = lost - size;
  const prefix = (LOSS_THRESHOLD * before - lostBefore) / (1 - LOSS_THRESHOLD);
  return before + prefix;
}
