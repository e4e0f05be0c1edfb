import { type FieldCodec, optionalInt } from "../../frozen/field_codec.ts";
import { seqDiff } from "../../../wire/seq.ts";
import { STARTUP_FULL_LOSS_COUNT } from "./parameters.ts";

/** Counts discontiguous lost ranges in a round; too many end Startup (5.3.1.3). */
export class StartupLoss {
  #ranges = 0;
  #lastEnd: number | undefined = undefined;

  visitFields(codec: FieldCodec): void {
    this.#ranges = codec.count("ranges", this.#ranges);
    this.#lastEnd = optionalInt(codec, "lastEnd", this.#lastEnd);
  }

  noteLost(start: number, end: number): void {
    if (this.#lastEnd === undefined || seqDiff(start, this.#lastEnd) !== 0) this.#ranges++;
    this.#lastEnd = end;
  }

  get isHigh(): boolean {
    return this.#ranges >= STARTUP_FULL_LOSS_COUNT;
  }

  /** Ends a round. */
  reset(): void {
    this.#ranges = 0;
    this.#lastEnd = undefined;
  }
}
