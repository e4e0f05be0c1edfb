/**
 * A FIFO queue in a circular array: `shift` moves no items, and a short queue allocates nothing.
 *
 * @module
 */

/** Initial capacity. */
const MIN_CAPACITY = 4;
/** Largest capacity that an empty queue keeps. */
const MAX_KEPT = 1024;

/** A FIFO queue. */
export class Queue<T> {
  /** Circular array whose length is a power of two, or 0. */
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

  /** The item that {@link shift} would return. */
  peek(): T | undefined {
    return this.#count === 0 ? undefined : this.#items[this.#head];
  }

  shift(): T | undefined {
    if (this.#count === 0) return undefined;
    const item = this.#items[this.#head];
    this.#items[this.#head] = undefined;
    this.#head = (this.#head + 1) & (this.#items.length - 1);
    this.#count--;
    if (this.#count === 0 && this.#items.length > MAX_KEPT) {
      this.#items = [];
      this.#head = 0;
    }
    return item;
  }

  #grow(): void {
    const items = this.#items;
    const grown: (T | undefined)[] = new Array(Math.max(MIN_CAPACITY, items.length * 2)).fill(
      undefined,
    );
    for (let i = 0; i < items.length; i++) grown[i] = items[(this.#head + i) & (items.length - 1)];
    this.#items = grown;
    this.#head = 0;
  }
}
