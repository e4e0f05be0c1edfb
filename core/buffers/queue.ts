/**
 * A queue that does not move its items at every step, and makes no garbage while it is short.
 *
 * @module
 */

/** Places made at first. */
const FEWEST = 4;
/** An empty queue keeps this many places. */
const MOST_KEPT = 1024;

/** First in, first out. */
export class Queue<T> {
  /** A ring: a power of two places, or none. */
  #items: (T | undefined)[] = [];
  #head = 0;
  #count = 0;

  get count(): number {
    return this.#count;
  }

  push(item: T): void {
    if (this.#count === this.#items.length) this.#grow();
    this.#items[(this.#head + this.#count) & (this.#items.length - 1)] = item;
    this.#count++;
  }

  shift(): T | undefined {
    if (this.#count === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#count--;
    if (this.#count === 0 && this.#items.length > MOST_KEPT) {
      this.#items = [];
      this.#head = 0;
    }
    return item;
  }

  #grow(): void {
    const items = this.#items;
    const grown: (T | undefined)[] = new Array(Math.max(FEWEST, items.length * 2)).fill(undefined);
    for (let i = 0; i < items.length; i++) grown[i] = items[(this.#head + i) & (items.length - 1)];
    this.#items = grown;
    this.#head = 0;
  }
}
