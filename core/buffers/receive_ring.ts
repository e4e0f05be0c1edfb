/**
 * Received bytes: those in order, ready for the application, and those out of order, after a gap
 * (RFC 9293 3.10.7.4, seventh).
 *
 * @module
 */
import { seqDiff } from "../wire/seq.ts";
import { Ranges } from "./ranges.ts";
import { RingBorrower } from "./ring_borrower.ts";
import type { RingPool } from "./ring_pool.ts";

/**
 * Maximum number of out-of-order ranges. A sender that overruns a queue causes hundreds of gaps,
 * and every segment refused beyond this limit has to be retransmitted.
 */
export const MAX_HOLES = 512;

/** The received bytes, starting with the next one that the application reads. */
export class ReceiveRing extends RingBorrower {
  /** Sequence number of the next byte that the application reads. */
  readSeq: number;
  /** Number of in-order bytes ready to be read. */
  readable = 0;
  /** Ranges received out of order; allocated on first use. */
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

  /** Sequence number after the last byte received, in order or not. */
  get endSeq(): number {
    return (this.readSeq + extentOf(this)) | 0;
  }

  /**
   * Stores text that starts at or after RCV.NXT; the caller has trimmed it to the window. Returns
   * the number of bytes that became readable, or -1 if there are too many gaps.
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

  /** Moves bytes to `target`; returns their number. */
  read(target: Uint8Array): number {
    const count = Math.min(target.length, this.readable);
    if (count === 0) return 0;
    this.ring.copy(0, target, 0, count);
    this.forget(count);
    return count;
  }

  /** A view of the in-order bytes that are contiguous in memory; valid until they are consumed. */
  view(): Uint8Array<ArrayBuffer> {
    return this.ring.lend(this.readable);
  }

  /** Releases the first `count` bytes of the last view. */
  consume(count: number): void {
    this.ring.takeBack();
    const left = Math.min(count, this.readable);
    if (left > 0) this.forget(left);
  }

  /** Discards the in-order bytes; returns their number. */
  discard(): number {
    const count = this.readable;
    if (count > 0) this.forget(count);
    return count;
  }

  /** Removes the first `count` in-order bytes. */
  forget(count: number): void {
    this.readSeq = (this.readSeq + count) | 0;
    this.readable -= count;
    if (this.isEmpty) this.giveBack();
    else this.ring.advance(count);
  }

  /** Drops the out-of-order data, since the gaps will never be filled. */
  dropOutOfOrder(): void {
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

/** Number of bytes from offset 0 to the end of the stored data, gaps included. */
function extentOf({ readSeq, readable, outOfOrder }: ReceiveRing): number {
  if (outOfOrder === undefined || outOfOrder.count === 0) return readable;
  return Math.max(readable, seqDiff(outOfOrder.ends[outOfOrder.count - 1]!, readSeq));
}
