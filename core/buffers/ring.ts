/**
 * A window of a byte stream in a circular block, whose size is a power of two. The block grows as
 * needed and goes back to the pool when it is empty.
 *
 * @module
 */
import { copyBytes } from "./copy.ts";

const NO_BLOCK = new Uint8Array(0);
/** Maximum number of unused rings that the pool keeps. */
const MAX_FREE_RINGS = 1024;
/** Views of larger blocks are not reused: a remembered view would keep the block of an unused ring in memory. */
const MAX_KEPT_BLOCK = 2048;

/** The source of blocks, and of unused rings. */
export interface BlockPool {
  readonly noRing: Ring;
  readonly freeRings: Ring[];
  take(size: number): Uint8Array<ArrayBuffer>;
  give(block: Uint8Array<ArrayBuffer>): void;
}

/** Bytes addressed by their offset from the first byte that is still held. */
export class Ring {
  /** The block, and the index of offset 0 in it. Links send straight from here. */
  block: Uint8Array<ArrayBuffer> = NO_BLOCK;
  start = 0;
  readonly pool: BlockPool;
  /** Largest size needed since the ring was borrowed. */
  #peak = 0;
  /** Size of the first block to take. */
  #hint = 0;
  #isLent = false;
  /**
   * The last view that was lent, with its block and start. An idle handler still refers to the last view that it was
   * lent. Views are reused for messages of the same size, so that many idle connections refer to one object.
   */
  #view: Uint8Array<ArrayBuffer> = NO_BLOCK;
  #viewed: Uint8Array<ArrayBuffer> = NO_BLOCK;
  #viewStart = 0;

  constructor(pool: BlockPool) {
    this.pool = pool;
  }

  /** Ensures capacity for `size` bytes, and preserves the first `kept` bytes. */
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

  /** Writes `source[from, to)` at `offset`, after `reserve`. */
  write(offset: number, source: Uint8Array, from: number, to: number): void {
    const mask = this.block.length - 1;
    const at = (this.start + offset) & mask;
    const first = Math.min(to - from, this.block.length - at);
    copyBytes(source, from, from + first, this.block, at);
    if (from + first < to) copyBytes(source, from + first, to, this.block, 0);
  }

  /** Up to `length` contiguous bytes at `offset` for the caller to fill, after `reserve`. */
  gap(offset: number, length: number): Uint8Array<ArrayBuffer> {
    const at = (this.start + offset) & (this.block.length - 1);
    return this.block.subarray(at, Math.min(at + length, this.block.length));
  }

  /** Copies `length` bytes at `offset` to `target` at `at`. */
  copy(offset: number, target: Uint8Array, at: number, length: number): void {
    const from = (this.start + offset) & (this.block.length - 1);
    const first = Math.min(length, this.block.length - from);
    copyBytes(this.block, from, from + first, target, at);
    if (first < length) copyBytes(this.block, 0, length - first, target, at + first);
  }

  /**
   * A view of at most `length` contiguous bytes from offset 0 on. While it is lent, the block does
   * not go back to the pool, so no other connection overwrites it.
   */
  lend(length: number): Uint8Array<ArrayBuffer> {
    this.#isLent = true;
    const { block, start } = this;
    const end = Math.min(start + length, block.length);
    if (block.length > MAX_KEPT_BLOCK) return block.subarray(start, end);
    const isSame = this.#viewed === block && this.#viewStart === start &&
      this.#view.length === end - start;
    if (isSame) return this.#view;
    this.#viewed = block;
    this.#viewStart = start;
    return this.#view = block.subarray(start, end);
  }

  /** Ends the use of the lent view. */
  takeBack(): void {
    this.#isLent = false;
  }

  /** Moves offset 0 forward. */
  advance(length: number): void {
    this.start = (this.start + length) & (this.block.length - 1);
  }

  /**
   * Takes a ring from the pool. Its first block has at least `hint` bytes, the borrower's previous
   * peak, so that a burst grows it only once.
   */
  static borrow(pool: BlockPool, hint: number): Ring {
    const ring = pool.freeRings.pop() ?? new Ring(pool);
    ring.#hint = hint;
    return ring;
  }

  /** Returns the block and the ring to the pool; the result is the peak size. */
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
