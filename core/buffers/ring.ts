/**
 * A window of a byte stream in a power-of-two block that grows, wraps and is handed back when it
 * is empty.
 *
 * @module
 */
import { copyBytes } from "./copy.ts";
import type { RingPool } from "./ring_pool.ts";

const NO_BLOCK = new Uint8Array(0);
/** Rings kept for use again, at most. */
const MAX_FREE_RINGS = 1024;

/** Bytes at offsets 0 to `limit` from the stream's first kept byte. */
export class Ring {
  /** The block, and where offset 0 lies in it. Links send straight from here. */
  block: Uint8Array<ArrayBuffer> = NO_BLOCK;
  start = 0;
  readonly pool: RingPool;
  /** Bytes needed since the block was taken. */
  #peak = 0;
  /** Bytes that the first block should have. */
  #hint = 0;
  #isLent = false;

  constructor(pool: RingPool) {
    this.pool = pool;
  }

  /** Makes room for offsets 0 to `size`; the first `kept` bytes stay. */
  reserve(size: number, kept: number): void {
    if (size > this.#peak) this.#peak = size;
    if (size <= this.block.length) return;
    const grown = this.pool.take(kept === 0 ? Math.max(size, this.#hint) : size);
    const first = Math.min(kept, this.block.length - this.start);
    if (kept > 0) copyBytes(this.block, this.start, this.start + first, grown, 0);
    if (kept > first) copyBytes(this.block, 0, kept - first, grown, first);
    this.#giveBack();
    this.block = grown;
  }

  /** Writes `source[from, to)` at `offset`; room has been reserved. */
  write(offset: number, source: Uint8Array, from: number, to: number): void {
    const mask = this.block.length - 1;
    const at = (this.start + offset) & mask;
    const first = Math.min(to - from, this.block.length - at);
    copyBytes(source, from, from + first, this.block, at);
    if (from + first < to) copyBytes(source, from + first, to, this.block, 0);
  }

  /** Copies `length` bytes at `offset` to `target` at `at`. */
  copy(offset: number, target: Uint8Array, at: number, length: number): void {
    const from = (this.start + offset) & (this.block.length - 1);
    const first = Math.min(length, this.block.length - from);
    copyBytes(this.block, from, from + first, target, at);
    if (first < length) copyBytes(this.block, 0, length - first, target, at + first);
  }

  /**
   * A view of at most `length` bytes from offset 0 on, as far as they lie in one piece. Its block
   * is not used again for another connection while somebody may look at it.
   */
  lend(length: number): Uint8Array<ArrayBuffer> {
    this.#isLent = true;
    return this.block.subarray(this.start, Math.min(this.start + length, this.block.length));
  }

  /** Nobody looks at the view any more. */
  takeBack(): void {
    this.#isLent = false;
  }

  /** Moves offset 0 forward. */
  advance(length: number): void {
    this.start = (this.start + length) & (this.block.length - 1);
  }

  /** A ring for somebody who has needed `hint` bytes before: a burst grows its block only once. */
  static borrow(pool: RingPool, hint: number): Ring {
    const ring = pool.freeRings.pop() ?? new Ring(pool);
    ring.#hint = hint;
    return ring;
  }

  /** Hands the block back, and the ring for others to borrow; returns the bytes that it has needed. */
  release(): number {
    const peak = this.#peak;
    this.#peak = 0;
    this.#giveBack();
    const { freeRings } = this.pool;
    if (freeRings.length < MAX_FREE_RINGS) freeRings.push(this);
    return peak;
  }

  #giveBack(): void {
    if (this.block.length > 0 && !this.#isLent) this.pool.give(this.block);
    this.#isLent = false;
    this.block = NO_BLOCK;
    this.start = 0;
  }
}
