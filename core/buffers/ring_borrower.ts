/**
 * Borrows a ring from the pool for as long as there are bytes to hold.
 *
 * @module
 */
import { Ring } from "./ring.ts";
import type { RingPool } from "./ring_pool.ts";

/** A stream that borrows its ring from the pool while it holds bytes. */
export class RingBorrower {
  /**
   * The borrowed ring, which links send straight from; the pool's empty ring while nothing is held.
   */
  ring: Ring;
  /** Peak size of the ring borrowed last. */
  #peak = 0;

  constructor(pool: RingPool) {
    this.ring = pool.noRing;
  }

  /** Borrows a ring, before bytes are stored. */
  borrow(): void {
    const { pool } = this.ring;
    if (this.ring === pool.noRing) this.ring = Ring.borrow(pool, this.#peak);
  }

  /** Returns the ring, when nothing is held any more. */
  giveBack(): void {
    const { pool } = this.ring;
    if (this.ring === pool.noRing) return;
    this.#peak = this.ring.release();
    this.ring = pool.noRing;
  }
}
