/**
 * Connections by their next deadline: a binary heap.
 *
 * @module
 */
import type { Tcb } from "../tcp/tcb.ts";

/** Each connection is in it once, at `scheduledAt`, which may be earlier than what it waits for. */
export class Deadlines {
  readonly #heap: Tcb[] = [];

  get count(): number {
    return this.#heap.length;
  }

  /** The earliest deadline, `Infinity` when there is none. */
  next(): number {
    return this.#heap[0]?.scheduledAt ?? Infinity;
  }

  /** Takes over a connection's earliest deadline; a later one than before changes nothing. */
  update(tcb: Tcb): void {
    const at = tcb.timers.earliest;
    if (at >= tcb.scheduledAt) return;
    tcb.scheduledAt = at;
    if (tcb.heapIndex < 0) {
      tcb.heapIndex = this.#heap.length;
      this.#heap.push(tcb);
    }
    this.#up(tcb);
  }

  /** The connection that is due first and not after `now`, taken out. */
  takeDue(now: number): Tcb | undefined {
    const first = this.#heap[0];
    if (first === undefined || first.scheduledAt > now) return undefined;
    this.remove(first);
    return first;
  }

  remove(tcb: Tcb): void {
    const index = tcb.heapIndex;
    if (index < 0) return;
    tcb.heapIndex = -1;
    tcb.scheduledAt = Infinity;
    const last = this.#heap.pop()!;
    if (last === tcb) return;
    last.heapIndex = index;
    this.#heap[index] = last;
    this.#up(last);
    this.#down(last);
  }

  #up(tcb: Tcb): void {
    let index = tcb.heapIndex;
    while (index > 0) {
      const parent = this.#heap[(index - 1) >> 1]!;
      if (parent.scheduledAt <= tcb.scheduledAt) break;
      this.#place(parent, index);
      index = (index - 1) >> 1;
    }
    this.#place(tcb, index);
  }

  #down(tcb: Tcb): void {
    let index = tcb.heapIndex;
    for (;;) {
      let child = this.#heap[2 * index + 1];
      const right = this.#heap[2 * index + 2];
      if (child === undefined) break;
      if (right !== undefined && right.scheduledAt < child.scheduledAt) child = right;
      if (child.scheduledAt >= tcb.scheduledAt) break;
      const at = child.heapIndex;
      this.#place(child, index);
      index = at;
    }
    this.#place(tcb, index);
  }

  #place(tcb: Tcb, index: number): void {
    this.#heap[index] = tcb;
    tcb.heapIndex = index;
  }
}
