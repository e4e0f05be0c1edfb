/**
 * Memory for the rings: blocks of powers of two. A connection returns its block as soon as it is
 * empty, so that an idle connection holds none.
 *
 * @module
 */
import { type BlockPool, Ring } from "./ring.ts";

/** The smallest block, in bytes. */
export const MIN_BLOCK = 2048;
/** Binary logarithm of {@link MIN_BLOCK}. */
const MIN_BITS = 11;

/** Keeps at most `limit` bytes of unused blocks. */
export class RingPool implements BlockPool {
  /** The ring of all streams that hold nothing; never written to. */
  readonly noRing: Ring = new Ring(this);
  /** Unused rings. Few connections hold bytes at the same time. */
  readonly freeRings: Ring[] = [];
  readonly #free: Uint8Array<ArrayBuffer>[][] = [];
  readonly #limit: number;
  #held = 0;

  constructor(limit: number = 16 * 1024 * 1024) {
    this.#limit = limit;
  }

  /** Bytes in unused blocks. */
  get held(): number {
    return this.#held;
  }

  /** A block of at least `size` bytes, with undefined contents. */
  take(size: number): Uint8Array<ArrayBuffer> {
    const bits = Math.max(MIN_BITS, 32 - Math.clz32(size - 1));
    const block = this.#free[bits - MIN_BITS]?.pop();
    if (block === undefined) return new Uint8Array(1 << bits);
    this.#held -= block.length;
    return block;
  }

  /** Returns a block obtained from `take`. */
  give(block: Uint8Array<ArrayBuffer>): void {
    if (this.#held + block.length > this.#limit) return;
    const index = 31 - Math.clz32(block.length) - MIN_BITS;
    (this.#free[index] ??= []).push(block);
    this.#held += block.length;
  }
}
