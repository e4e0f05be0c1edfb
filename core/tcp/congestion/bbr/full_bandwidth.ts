import type { DeliverySample } from "../control.ts";
import { FULL_BANDWIDTH_GROWTH, FULL_BANDWIDTH_ROUNDS } from "./parameters.ts";

/** Finds the plateau of the delivery rate while sending accelerates (5.3.1.2). */
export class FullBandwidth {
  /** The pipe was full once in the life of the connection. */
  reached = false;
  /** It is full since the search began last. */
  now = false;
  #baseline = 0;
  #rounds = 0;

  /** The search begins anew, with `baseline` to grow from. */
  reset(baseline = 0): void {
    this.#baseline = baseline;
    this.#rounds = 0;
    this.now = false;
  }

  check(roundStarts: boolean, { rate, isApplicationLimited }: DeliverySample): void {
    if (this.now || !roundStarts || isApplicationLimited) return;
    if (rate >= this.#baseline * FULL_BANDWIDTH_GROWTH) {
      this.reset(rate);
      return;
    }
    this.now = ++this.#rounds >= FULL_BANDWIDTH_ROUNDS;
    if (this.now) this.reached = true;
  }
}
