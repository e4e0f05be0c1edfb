import type { FieldCodec } from "../../frozen/field_codec.ts";
import { MaxFilter } from "../max_filter.ts";
import { EXTRA_ACKED_ROUNDS } from "./parameters.ts";

/** `BBR.extra_acked`: data acknowledged in excess of the estimated bandwidth (5.5.9). */
export class AckAggregation {
  readonly #filter = new MaxFilter();
  #intervalStart = 0;
  #delivered = 0;

  visitFields(codec: FieldCodec): void {
    this.#filter.visitFields(codec);
    this.#intervalStart = codec.time("intervalStart", this.#intervalStart);
    this.#delivered = codec.real("delivered", this.#delivered);
  }

  /** Bytes. */
  get extraAcked(): number {
    return this.#filter.max;
  }

  /** Starts a new interval, after an idle period. */
  restart(now: number): void {
    this.#intervalStart = now;
    this.#delivered = 0;
  }

  /** `most`: upper bound of the excess, in bytes. */
  update(
    newlyAcked: number,
    bandwidth: number,
    most: number,
    now: number,
    round: number,
    fullReached: boolean,
  ): void {
    let expected = bandwidth * (now - this.#intervalStart);
    // Acknowledgements arrive slower than expected: the aggregation epoch has ended.
    if (this.#delivered <= expected) {
      this.restart(now);
      expected = 0;
    }
    this.#delivered += newlyAcked;
    const extra = Math.min(this.#delivered - expected, most);
    this.#filter.add(extra, round, fullReached ? EXTRA_ACKED_ROUNDS : 1);
  }
}
