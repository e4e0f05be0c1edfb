/**
 * Connections or flows by their next deadline: a binary heap.
 *
 * @module
 */

/** What waits. */
export interface Scheduled {
  /** What it waits for, in milliseconds; `Infinity`: nothing. */
  readonly earliestTimer: number;
  /** Where it is in the heap; may be earlier than what it waits for. */
  scheduledAt: number;
  /** Its place in the heap; -1: in none. */
  heapIndex: number;
}

/** Each item is in it once, at `scheduledAt`. */
export class DeadlineHeap<Item extends Scheduled> {
  readonly #heap: Item[] = [];

  get count(): number {
    return this.#heap.length;
  }

  /** The earliest deadline, `Infinity` when there is none. */
  next(): number {
    return this.#heap[0]?.scheduledAt ?? Infinity;
  }

  /** Takes over an item's earliest deadline; a later one than before changes nothing. */
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

  /** The item that is due first and not after `now`, taken out. */
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
