/**
 * A binary heap of connections or flows by deadline.
 *
 * @module
 */

/** An item with a deadline. */
export interface Scheduled {
  /** Its earliest deadline in milliseconds; `Infinity`: none. */
  readonly earliestTimer: number;
  /** Its index in the heap; -1: not in a heap. */
  heapIndex: number;
}

/** Holds each item at most once, ordered by a key that may be earlier than its deadline. */
export class DeadlineHeap<Item extends Scheduled> {
  readonly #heap: Item[] = [];
  /** The keys of the items, at the same index. */
  readonly #keys: number[] = [];

  get count(): number {
    return this.#heap.length;
  }

  /** The earliest key; `Infinity` if the heap is empty. */
  next(): number {
    return this.#keys[0] ?? Infinity;
  }

  /** The item's key; `Infinity` if it is not in the heap. */
  keyOf({ heapIndex }: Item): number {
    return heapIndex < 0 ? Infinity : this.#keys[heapIndex]!;
  }

  /**
   * Reschedules an item whose deadline has become earlier. A later deadline leaves it in place,
   * where it comes up too early and is rescheduled then.
   */
  update(item: Item): void {
    const at = item.earliestTimer;
    if (at >= this.keyOf(item)) return;
    if (item.heapIndex < 0) {
      item.heapIndex = this.#heap.length;
      this.#heap.push(item);
      this.#keys.push(at);
    }
    this.#up(item, at);
  }

  /** Removes and returns the first item if it is due at `now`. */
  takeDue(now: number): Item | undefined {
    const first = this.#heap[0];
    if (first === undefined || this.#keys[0]! > now) return undefined;
    this.remove(first);
    return first;
  }

  remove(item: Item): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    const last = this.#heap.pop()!;
    const key = this.#keys.pop()!;
    if (last === item) return;
    this.#place(last, key, index);
    this.#up(last, key);
    this.#down(last, key);
  }

  #up(item: Item, key: number): void {
    let index = item.heapIndex;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (this.#keys[parent]! <= key) break;
      this.#place(this.#heap[parent]!, this.#keys[parent]!, index);
      index = parent;
    }
    this.#place(item, key, index);
  }

  #down(item: Item, key: number): void {
    let index = item.heapIndex;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= this.#heap.length) break;
      if (child + 1 < this.#heap.length && this.#keys[child + 1]! < this.#keys[child]!) child++;
      if (this.#keys[child]! >= key) break;
      this.#place(this.#heap[child]!, this.#keys[child]!, index);
      index = child;
    }
    this.#place(item, key, index);
  }

  #place(item: Item, key: number, index: number): void {
    this.#heap[index] = item;
    this.#keys[index] = key;
    item.heapIndex = index;
  }
}
