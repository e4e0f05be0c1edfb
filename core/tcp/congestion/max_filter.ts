import type { FieldCodec } from "../frozen/field_codec.ts";

/** Maximum number of values in a record; the filters of the algorithms hold no more. */
const MAX_VALUES = 64;

/** Windowed maximum: the largest value of the last rounds. */
export class MaxFilter {
  /** Values larger than all later ones, with their rounds. */
  readonly #values: { readonly value: number; readonly round: number }[] = [];

  visitFields(codec: FieldCodec): void {
    const values = this.#values;
    codec.list("values", values.length, MAX_VALUES, (i) => {
      const { value, round } = values[i] ?? { value: 0, round: 0 };
      values[i] = { value: codec.real("value", value), round: codec.count("round", round) };
    });
  }

  /** The maximum; 0 without values. */
  get max(): number {
    return this.#values[0]?.value ?? 0;
  }

  /** Adds a value, and removes those that are at least `rounds` rounds old. */
  add(value: number, round: number, rounds: number): void {
    while (this.#values.length > 0 && this.#values.at(-1)!.value <= value) this.#values.pop();
    this.#values.push({ value, round });
    while (this.#values[0]!.round <= round - rounds) this.#values.shift();
  }
}
