import type { FieldCodec } from "../../frozen/field_codec.ts";
import type { DeliverySample } from "../control.ts";
import { FULL_BANDWIDTH_GROWTH, FULL_BANDWIDTH_ROUNDS } from "./parameters.ts";

/** Detects a plateau of the delivery rate while the sending rate grows (5.3.1.2). */
export class FullBandwidth {
  /** `BBR.full_bw_reached`: the pipe has been full once. */
  reached = false;
  /** `BBR.full_bw_now`: the pipe has been full since the last reset. */
  now = false;
  #baseline = 0;
  #rounds = 0;

  visitFields(codec: FieldCodec): void {
    this.reached = codec.flag("reached", this.reached);
    this.now = codec.flag("now", this.now);
    this.#baseline = codec.real("baseline", this.#baseline);
    this.#rounds = codec.count("rounds", this.#rounds);
  }

  /** Restarts the search from `baseline`. */
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
