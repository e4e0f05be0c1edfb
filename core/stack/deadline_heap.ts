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
   * Reschedules an item whose deadline has become earlier. If the deadline has become later, the
   * key stays: the item comes up too early and is rescheduled then.
   */
  update(item: Item): void {
    const at = item.earliestTimer;
    const index = item.heapIndex;
    if (index >= 0) {
      if (at >= this.#keys[index]!) return;
      this.#keys[index] = at;
    } else {
      if (at === Infinity) return;
      item.heapIndex = this.#heap.length;
      this.#heap.push(item);
      this.#keys.push(at);
    }
    this.#up(item.heapIndex);
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
    this.#heap[index] = last;
    this.#keys[index] = key;
    last.heapIndex = index;
    this.#up(index);
    this.#down(last.heapIndex);
  }

  #up(start: number): void {
    const heap = this.#heap;
    const keys = this.#keys;
    const item = heap[start]!;
    const key = keys[start]!;
    let index = start;
    while (index > 0) {
      const parent = (index - 1) >> 1;
      if (keys[parent]! <= key) break;
      this.#move(parent, index);
      index = parent;
    }
    heap[index] = item;
    keys[index] = key;
    item.heapIndex = index;
  }

  #down(start: number): void {
    const heap = this.#heap;
    const keys = this.#keys;
    const item = heap[start]!;
    const key = keys[start]!;
    let index = start;
    for (;;) {
      let child = 2 * index + 1;
      if (child >= heap.length) break;
      if (child + 1 < heap.length && keys[child + 1]! < keys[child]!) child++;
      if (keys[child]! >= key) break;
      this.#move(child, index);
      index = child;
    }
    heap[index] = item;
    keys[index] = key;
    item.heapIndex = index;
  }

  #move(from: number, to: number): void {
    const item = this.#heap[from]!;
    this.#heap[to] = item;
    this.#keys[to] = this.#keys[from]!;
    item.heapIndex = to;
  }
}
