/**
 * Bytes that were written and not acknowledged: from SND.UNA to the end of what the application
 * gave (RFC 9293 3.8.1).
 *
 * @module
 */
import { NO_RING, Ring } from "./ring.ts";
import type { RingPool } from "./ring_pool.ts";

/** Holds at most `limit` bytes. */
export class SendRing {
  /** Bytes held, sent or not. */
  length = 0;
  /** Most bytes held; may be raised. */
  limit: number;
  /** For links, which send straight from it; borrowed while something is held. */
  ring: Ring = NO_RING;
  readonly #pool: RingPool;
  /** Bytes held at most while the ring was borrowed last. */
  #peak = 0;

  constructor(pool: RingPool, limit: number) {
    this.#pool = pool;
    this.limit = limit;
  }

  get room(): number {
    return this.limit - this.length;
  }

  /** Takes as much of `source` from `from` on as there is room for; returns how much. */
  push(source: Uint8Array, from: number): number {
    const count = Math.min(source.length - from, this.room);
    if (count <= 0) return 0;
    if (this.ring === NO_RING) this.ring = Ring.borrow(this.#pool, this.#peak);
    this.ring.reserve(this.length + count, this.length);
    this.ring.write(this.length, source, from, from + count);
    this.length += count;
    return count;
  }

  /** Drops `count` acknowledged bytes. */
  drop(count: number): void {
    this.length -= count;
    if (this.length === 0) this.#release();
    else this.ring.advance(count);
  }

  /** Drops everything. */
  clear(): void {
    this.length = 0;
    this.#release();
  }

  #release(): void {
    if (this.ring === NO_RING) return;
    this.#peak = this.ring.release();
    this.ring = NO_RING;
  }
}
