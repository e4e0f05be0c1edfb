/**
 * A ring for as long as it is needed.
 *
 * @module
 */
import { NO_RING, Ring } from "./ring.ts";
import type { RingPool } from "./ring_pool.ts";

/** A stream that borrows its ring from the pool while it holds bytes. */
export class RingBorrower {
  /** For links, which send straight from it; {@link NO_RING} while nothing is held. */
  ring: Ring = NO_RING;
  readonly #pool: RingPool;
  /** Bytes held at most while the ring was borrowed last. */
  #peak = 0;

  constructor(pool: RingPool) {
    this.#pool = pool;
  }

  /** Bytes are about to be stored. */
  borrow(): void {
    if (this.ring === NO_RING) this.ring = Ring.borrow(this.#pool, this.#peak);
  }

  /** Nothing is held any more. */
  giveBack(): void {
    if (this.ring === NO_RING) return;
    this.#peak = this.ring.release();
    this.ring = NO_RING;
  }
}
