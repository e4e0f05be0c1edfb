/**
 * Which messages of a sender have been received (RFC 4303 3.4.3).
 *
 * @module
 */

/** Messages that may arrive out of order. */
export const REPLAY_WINDOW = 1024;

/** The sequence numbers received from one sender; they are integers below 2^53. */
export class ReplayWindow {
  readonly #seen = new Uint32Array(REPLAY_WINDOW / 32);
  #highest = -1;

  /** Whether a number has not been recorded, and is recent enough to tell. */
  isNew(sequence: number): boolean {
    const ahead = sequence - this.#highest;
    if (ahead > 0) return true;
    if (ahead <= -REPLAY_WINDOW) return false;
    const bit = sequence % REPLAY_WINDOW;
    return (this.#seen[bit >>> 5]! & (1 << (bit & 31))) === 0;
  }

  /** Records a number; false: it was recorded before, or is too old to tell. */
  take(sequence: number): boolean {
    if (!this.isNew(sequence)) return false;
    const ahead = sequence - this.#highest;
    if (ahead > 0) {
      this.#advance(ahead);
      this.#highest = sequence;
    }
    const bit = sequence % REPLAY_WINDOW;
    this.#seen[bit >>> 5]! |= 1 << (bit & 31);
    return true;
  }

  /** Clears the numbers between the highest so far and the next. */
  #advance(count: number): void {
    if (count >= REPLAY_WINDOW) return void this.#seen.fill(0);
    for (let i = 1; i <= count; i++) {
      const bit = (this.#highest + i) % REPLAY_WINDOW;
      this.#seen[bit >>> 5]! &= ~(1 << (bit & 31));
    }
  }
}
