/**
 * Received bytes: in order for the application, and behind a hole what arrived out of order
 * (RFC 9293 3.10.7.4, seventh).
 *
 * @module
 */
import { seqDiff } from "../wire/seq.ts";
import { Ranges } from "./ranges.ts";
import { RingBorrower } from "./ring_borrower.ts";
import type { RingPool } from "./ring_pool.ts";

/**
 * Holes kept at the same time, at most. A sender that overruns a queue makes hundreds of them, and
 * what is refused for one too many crosses the path a second time.
 */
export const MAX_HOLES = 512;

/** The bytes from the application's next one on. */
export class ReceiveRing extends RingBorrower {
  /** Sequence number of the next byte that the application reads. */
  readSeq: number;
  /** Bytes in order, ready to be read. */
  readable = 0;
  /** What lies behind a hole; made when it is first needed. */
  outOfOrder: Ranges | undefined = undefined;

  constructor(pool: RingPool, readSeq: number) {
    super(pool);
    this.readSeq = readSeq;
  }

  get isEmpty(): boolean {
    return this.readable === 0 && !this.hasHole;
  }

  get hasHole(): boolean {
    return this.outOfOrder !== undefined && this.outOfOrder.count > 0;
  }

  /** Sequence number behind the last byte that has arrived, holes or not. */
  get endSeq(): number {
    return (this.readSeq + extentOf(this)) | 0;
  }

  /**
   * Stores text that begins at or behind the first missing byte; the caller has trimmed it to the
   * window. Returns the bytes that became readable, or -1 when there are too many holes.
   */
  store(seq: number, packet: Uint8Array, start: number, end: number): number {
    const next = (this.readSeq + this.readable) | 0;
    const length = end - start;
    if (seq !== next) {
      this.outOfOrder ??= new Ranges(MAX_HOLES);
      if (!this.outOfOrder.add(seq, (seq + length) | 0)) return -1;
    }
    this.borrow();
    const offset = seqDiff(seq, this.readSeq);
    this.ring.reserve(offset + length, extentOf(this));
    this.ring.write(offset, packet, start, end);
    if (seq !== next) return 0;
    const reached = (seq + length) | 0;
    const grown = this.hasHole ? seqDiff(this.outOfOrder!.takeFrom(reached), next) : length;
    this.readable += grown;
    return grown;
  }

  /** Copies bytes to `target` and forgets them; returns how many. */
  read(target: Uint8Array): number {
    const count = Math.min(target.length, this.readable);
    if (count === 0) return 0;
    this.ring.copy(0, target, 0, count);
    this.forget(count);
    return count;
  }

  /** A view of bytes in order, as many as lie in one piece; valid until they are consumed. */
  view(): Uint8Array<ArrayBuffer> {
    return this.ring.lend(this.readable);
  }

  /** The first `count` bytes of a view have been dealt with. */
  consume(count: number): void {
    this.ring.takeBack();
    const left = Math.min(count, this.readable);
    if (left > 0) this.forget(left);
  }

  /** Forgets bytes that nobody will read. */
  discard(): number {
    const count = this.readable;
    if (count > 0) this.forget(count);
    return count;
  }

  /** The first `count` bytes in order are not needed any more. */
  forget(count: number): void {
    this.readSeq = (this.readSeq + count) | 0;
    this.readable -= count;
    if (this.isEmpty) this.giveBack();
    else this.ring.advance(count);
  }

  /** Drops what lies behind holes, which will never be filled. */
  dropEarly(): void {
    this.outOfOrder = undefined;
    if (this.readable === 0) this.giveBack();
  }

  /** Drops everything. */
  clear(): void {
    this.readable = 0;
    this.outOfOrder = undefined;
    this.giveBack();
  }
}

/** Bytes from offset 0 to the end of the last that is stored. */
function extentOf({ readSeq, readable, outOfOrder }: ReceiveRing): number {
  if (outOfOrder === undefined || outOfOrder.count === 0) return readable;
  return Math.max(readable, seqDiff(outOfOrder.ends[outOfOrder.count - 1]!, readSeq));
}
