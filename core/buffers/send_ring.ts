/**
 * The retransmission queue and unsent data: bytes from SND.UNA to the end of what the application
 * has written (RFC 9293 3.8.1).
 *
 * @module
 */
import { RingBorrower } from "./ring_borrower.ts";
import type { RingPool } from "./ring_pool.ts";

/** Holds at most `limit` bytes. */
export class SendRing extends RingBorrower {
  /** Number of bytes held, sent or not. */
  length = 0;
  /** Maximum number of bytes held; may be raised. */
  limit: number;

  constructor(pool: RingPool, limit: number) {
    super(pool);
    this.limit = limit;
  }

  get room(): number {
    return this.limit - this.length;
  }

  /** Appends as much of `source` from `from` on as fits; returns the number of bytes. */
  push(source: Uint8Array, from: number): number {
    const count = Math.min(source.length - from, this.room);
    if (count <= 0) return 0;
    this.borrow();
    this.ring.reserve(this.length + count, this.length);
    this.ring.write(this.length, source, from, from + count);
    this.length += count;
    return count;
  }

  /**
   * Calls `fill` with an array of at most `max` bytes, and appends what it writes there. `fill` returns the number of
   * bytes, and so does this method. `fill` must not keep the array, nor call into the stack. The ring may have more
   * room than the array, because its memory is circular.
   */
  fill(max: number, fill: (room: Uint8Array<ArrayBuffer>) => number): number {
    const most = Math.min(max, this.room);
    if (most <= 0) return 0;
    this.borrow();
    try {
      this.ring.reserve(this.length + most, this.length);
      const count = fill(this.ring.gap(this.length, most));
      this.length += count;
      return count;
    } finally {
      if (this.length === 0) this.giveBack();
    }
  }

  /** Drops `count` acknowledged bytes. */
  drop(count: number): void {
    this.length -= count;
    if (this.length === 0) this.giveBack();
    else this.ring.advance(count);
  }

  /** Drops everything. */
  clear(): void {
    this.length = 0;
    this.giveBack();
  }
}
