/**
 * A ring for as long as it is needed.
 *
 * @module
 */
import { Ring } from "./ring.ts";
import type { RingPool } from "./ring_pool.ts";

/** A stream that borrows its ring from the pool while it holds bytes. */
export class RingBorrower {
  /** For links, which send straight from it; the pool's empty one while nothing is held. */
  ring: Ring;
  /** Bytes held at most while the ring was borrowed last. */
  #peak = 0;

  constructor(pool: RingPool) {
    this.ring = pool.noRing;
  }

  /** Bytes are about to be stored. */
  borrow(): void {
    const { pool } = this.ring;
    if (this.ring === pool.noRing) this.ring = Ring.borrow(pool, this.#peak);
  }

  /** Nothing is held any more. */
  giveBack(): void {
    const { pool } = this.ring;
    if (this.ring === pool.noRing) return;
    this.#peak = this.ring.release();
    this.ring = pool.noRing;
  }
}
