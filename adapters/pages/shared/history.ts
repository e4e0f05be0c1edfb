/**
 * The latest values of a plot.
 *
 * @module
 */

/** Columns of numbers with their time in seconds; holds at most `limit` rows, the oldest are dropped. */
export class History {
  readonly #limit: number;
  readonly #columns: (number | null)[][];

  /** `series` is the number of columns besides the time. */
  constructor(series: number, limit: number) {
    this.#limit = limit;
    this.#columns = Array.from({ length: series + 1 }, () => []);
  }

  /** Adds a row; `null` interrupts a line. */
  add(seconds: number, ...values: readonly (number | null)[]): void {
    for (const [index, column] of this.#columns.entries()) {
      column.push(index === 0 ? seconds : values[index - 1] ?? null);
      if (column.length > this.#limit) column.shift();
    }
  }

  /** The columns, the time first. */
  get columns(): readonly (readonly (number | null)[])[] {
    return this.#columns;
  }

  /** The last value of a column, 0 before the first. */
  last(series: number): number {
    return this.#columns[series + 1]?.at(-1) ?? 0;
  }
}
