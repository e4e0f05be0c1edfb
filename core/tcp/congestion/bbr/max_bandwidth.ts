import type { FieldCodec } from "../../frozen/field_codec.ts";
import type { DeliverySample } from "../control.ts";

/** Maximum delivery rate of this and the previous bandwidth-probing cycle (5.5.3 to 5.5.6). */
export class MaxBandwidth {
  #current = 0;
  #previous = 0;

  visitFields(codec: FieldCodec): void {
    this.#current = codec.real("current", this.#current);
    this.#previous = codec.real("previous", this.#previous);
  }

  /** Bytes per millisecond; 0 without a sample. */
  get value(): number {
    return Math.max(this.#current, this.#previous);
  }

  update({ rate, isApplicationLimited }: DeliverySample): void {
    // 5.5.4: an application-limited sample counts only if it is the maximum.
    if (rate < this.value && isApplicationLimited) return;
    this.#current = Math.max(this.#current, rate);
  }

  /** Ends a cycle. Cycles without a sample do not count: no estimate would remain. */
  advance(): void {
    if (this.#current === 0) return;
    this.#previous = this.#current;
    this.#current = 0;
  }
}
