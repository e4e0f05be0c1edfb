/**
 * Sorted, disjoint, non-adjacent ranges of sequence numbers: the data received out of order.
 *
 * @module
 */
import { seqGt, seqLeq, seqLt, seqMax, seqMin } from "../wire/seq.ts";

/** Holds at most `limit` ranges. */
export class Ranges {
  /** Range `i` is `starts[i]` to `ends[i]`, end exclusive. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  /** Number of the last call of {@link Ranges.add} that changed range `i`, counted from 1. */
  readonly #touched: number[] = [];
  #adds = 0;
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.starts.length;
  }

  /**
   * Adds a range and merges it with those it touches. Returns false, without a change, at the
   * limit.
   */
  add(start: number, end: number): boolean {
    let first = 0;
    while (first < this.starts.length && seqLt(this.ends[first]!, start)) first++;
    let last = first;
    while (last < this.starts.length && seqLeq(this.starts[last]!, end)) last++;
    if (first === last && this.starts.length >= this.#limit) return false;
    const from = first < last ? seqMin(start, this.starts[first]!) : start;
    const to = first < last ? seqMax(end, this.ends[last - 1]!) : end;
    this.starts.splice(first, last - first, from);
    this.ends.splice(first, last - first, to);
    this.#touched.splice(first, last - first, ++this.#adds);
    return true;
  }

  /**
   * Removes the ranges that begin at or before `point`; returns the end of the data there, or
   * `point`.
   */
  takeFrom(point: number): number {
    let end = point;
    while (this.starts.length > 0 && seqLeq(this.starts[0]!, end)) {
      end = seqMax(end, this.ends.shift()!);
      this.starts.shift();
      this.#touched.shift();
    }
    return end;
  }

  /** Index of the first range that overlaps `start` to `end`, or -1. */
  indexOfOverlap(start: number, end: number): number {
    const index = this.ends.findIndex((to) => seqGt(to, start));
    return index >= 0 && seqLt(this.starts[index]!, end) ? index : -1;
  }

  /** Appends up to `most` ranges to `pairs`, most recently changed first (RFC 2018 4). */
  appendLatest(pairs: number[], most: number): void {
    let before = Infinity;
    for (let left = most; left > 0; left--) {
      let latest = -1;
      for (let i = 0; i < this.#touched.length; i++) {
        const touched = this.#touched[i]!;
        if (touched < before && (latest < 0 || touched > this.#touched[latest]!)) latest = i;
      }
      if (latest < 0) return;
      before = this.#touched[latest]!;
      pairs.push(this.starts[latest]!, this.ends[latest]!);
    }
  }
}
