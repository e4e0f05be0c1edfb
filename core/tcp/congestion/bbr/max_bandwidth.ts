import type { DeliverySample } from "../control.ts";

/** The largest delivery rate of this bandwidth-probing cycle and the one before (5.5.3 to 5.5.6). */
export class MaxBandwidth {
  #current = 0;
  #previous = 0;

  /** Bytes per millisecond, 0 while there is no sample. */
  get value(): number {
    return Math.max(this.#current, this.#previous);
  }

  update({ rate, isApplicationLimited }: DeliverySample): void {
    // 5.5.4: what the application limited says something only when it is the largest.
    if (rate < this.value && isApplicationLimited) return;
    this.#current = Math.max(this.#current, rate);
  }

  /** A cycle is over. One without a sample does not count: there would be no estimate left. */
  advance(): void {
    if (this.#current === 0) return;
    this.#previous = this.#current;
    this.#current = 0;
  }
}
