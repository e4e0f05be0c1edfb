/** The largest value of the last so many rounds. */
export class MaxFilter {
  /** Values that are larger than all behind them, with their rounds. */
  readonly #values: { readonly value: number; readonly round: number }[] = [];

  /** 0 while there is none. */
  get max(): number {
    return this.#values[0]?.value ?? 0;
  }

  /** What is `rounds` rounds old or older is forgotten. */
  add(value: number, round: number, rounds: number): void {
    while (this.#values.length > 0 && this.#values.at(-1)!.value <= value) this.#values.pop();
    this.#values.push({ value, round });
    while (this.#values[0]!.round <= round - rounds) this.#values.shift();
  }
}
