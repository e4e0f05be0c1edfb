import { type FieldCodec, optionalInt, optionalReal } from "../frozen/field_codec.ts";
import type { AckSample } from "./control.ts";

/** The constants of RFC 9406 4.3. */
const MIN_RTT_THRESHOLD_MS = 4;
const MAX_RTT_THRESHOLD_MS = 16;
const SAMPLES = 8;
const GROWTH_DIVISOR = 4;
const CONSERVATIVE_ROUNDS = 5;

/** HyStart++ (RFC 9406): slow start ends when the round-trip time rises, before a loss. */
export class HyStart {
  #windowEnd: number | undefined = undefined;
  #lastRoundMin = Infinity;
  #roundMin = Infinity;
  #samples = 0;
  /** cssBaselineMinRtt: set during conservative slow start. */
  #baseline: number | undefined = undefined;
  #conservativeRounds = 0;

  visitFields(codec: FieldCodec): void {
    this.#windowEnd = optionalInt(codec, "windowEnd", this.#windowEnd);
    this.#lastRoundMin = codec.limit("lastRoundMin", this.#lastRoundMin);
    this.#roundMin = codec.limit("roundMin", this.#roundMin);
    this.#samples = codec.count("samples", this.#samples);
    this.#baseline = optionalReal(codec, "baseline", this.#baseline);
    this.#conservativeRounds = codec.count("conservativeRounds", this.#conservativeRounds);
  }

  /** Fraction of the acknowledged bytes by which the window may grow; 0: slow start has ended. */
  growth(sample: AckSample): number {
    if (this.#windowEnd === undefined || ((sample.sndUna - this.#windowEnd) | 0) > 0) {
      if (this.#startRound(sample.sndNxt)) return 0;
    }
    if (sample.rtt >= 0) {
      this.#roundMin = Math.min(this.#roundMin, sample.rtt);
      this.#samples++;
    }
    if (this.#samples >= SAMPLES) this.#compare();
    return this.#baseline === undefined ? 1 : 1 / GROWTH_DIVISOR;
  }

  /** Returns whether conservative slow start has ended. */
  #startRound(sndNxt: number): boolean {
    this.#windowEnd = sndNxt;
    this.#lastRoundMin = this.#roundMin;
    this.#roundMin = Infinity;
    this.#samples = 0;
    // RFC 9406 4.2: the round in which CSS began counts too.
    return this.#baseline !== undefined && ++this.#conservativeRounds >= CONSERVATIVE_ROUNDS;
  }

  #compare(): void {
    if (this.#baseline !== undefined) {
      // The rise was spurious: slow start resumes.
      if (this.#roundMin < this.#baseline) {
        this.#baseline = undefined;
        this.#conservativeRounds = 0;
      }
      return;
    }
    if (this.#lastRoundMin === Infinity || this.#roundMin === Infinity) return;
    const threshold = Math.min(
      Math.max(this.#lastRoundMin / 8, MIN_RTT_THRESHOLD_MS),
      MAX_RTT_THRESHOLD_MS,
    );
    if (this.#roundMin >= this.#lastRoundMin + threshold) this.#baseline = this.#roundMin;
  }
}
