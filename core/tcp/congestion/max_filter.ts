/** Windowed maximum: the largest value of the last rounds. */
export class MaxFilter {
  /** Values larger than all later ones, with their rounds. */
  readonly #values: { readonly value: number; readonly round: number }[] = [];

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
