/**
 * A binary heap of connections or flows by deadline.
 *
 * @module
 */

/** An item with a deadline. */
export interface Scheduled {
  /** Its earliest deadline in milliseconds; `Infinity`: none. */
  readonly earliestTimer: number;
  /** Its key in the heap, which may be earlier than its deadline. */
  scheduledAt: number;
  /** Its index in the heap; -1: not in a heap. */
  heapIndex: number;
}

/** Holds each item at most once, ordered by `scheduledAt`. */
export class DeadlineHeap<Item extends Scheduled> {
  readonly #heap: Item[] = [];

  get count(): number {
    return this.#heap.length;
  }

  /** The earliest key; `Infinity` if the heap is empty. */
  next(): number {
    return this.#heap[0]?.scheduledAt ?? Infinity;
  }

  /**
   * Reschedules an item whose deadline has become earlier. A later deadline leaves it in place,
   * where it comes up too early and is rescheduled then.
   */
  update(item: Item): void {
    const at = item.earliestTimer;
    if (at >= item.scheduledAt) return;
    item.scheduledAt = at;
    if (item.heapIndex < 0) {
      item.heapIndex = this.#heap.length;
      this.#heap.push(item);
    }
    this.#up(item);
  }

  /** Removes and returns the first item if it is due at `now`. */
  takeDue(now: number): Item | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.scheduledAt > now) return undefined;
    this.remove(first);
    return first;
  }

  remove(item: Item): void {
    const index = item.heapIndex;
    if (index < 0) return;
    item.heapIndex = -1;
    item.scheduledAt = Infinity;
    const last = this.#heap.pop()!;
    if (last === item) return;
    last.heapIndex = index;
    this.#heap[index] = last;
    this.#up(last);
    this.#down(last);
  }

  #up(item: Item): void {
    let index = item.heapIndex;
    while (index > 0) {
      const parent = this.#heap[(index - 1) >> 1]!;
      if (parent.scheduledAt <= item.scheduledAt) break;
      this.#place(parent, index);
      index = (index - 1) >> 1;
    }
    this.#place(item, index);
  }

  #down(item: Item): void {
    let index = item.heapIndex;
    for (;;) {
      let child = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      if (child === undefined) break;
      if (right !== undefined && right.scheduledAt < child.scheduledAt) child = right;
      if (child.scheduledAt >= item.scheduledAt) break;
      const at = child.heapIndex;
      this.#place(child, index);
      index = at;
    }
    this.#place(item, index);
  }

  #place(item: Item, index: number): void {
    this.#heap[index] = item;
    item.heapIndex = index;
  }
}
