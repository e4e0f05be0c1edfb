/**
 * Ordered, disjoint, non-adjacent ranges of sequence numbers: what has arrived ahead of a hole.
 *
 * @module
 */
import { seqGeq, seqGt, seqLeq, seqLt, seqMax, seqMin } from "../wire/seq.ts";

/** Holds at most `limit` ranges. */
export class Ranges {
  /** `starts[i]` to `ends[i]` is range `i`, end exclusive. */
  readonly starts: number[] = [];
  readonly ends: number[] = [];
  readonly #limit: number;

  constructor(limit: number) {
    this.#limit = limit;
  }

  get count(): number {
    return this.starts.length;
  }

  /** Adds a range, joined with those it touches. False: it would be one too many, nothing changed. */
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
    return true;
  }

  /** Takes the range that `point` lies in or touches out, and returns its end; else `point`. */
  takeFrom(point: number): number {
    let end = point;
    while (this.starts.length > 0 && seqLeq(this.starts[0]!, end)) {
      end = seqMax(end, this.ends.shift()!);
      this.starts.shift();
    }
    return end;
  }

  /** True when all of `start` to `end` is in one range. */
  covers(start: number, end: number): boolean {
    return this.starts.some((from, i) => seqLeq(from, start) && seqGeq(this.ends[i]!, end));
  }

  /** The range that holds `point`, as its index; -1 when none does. */
  indexOf(point: number): number {
    return this.starts.findIndex((from, i) => seqLeq(from, point) && seqGt(this.ends[i]!, point));
  }
}
