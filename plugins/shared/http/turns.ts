/**
 * Large responses take turns with everything else.
 *
 * @module
 */
import { macrotask } from "../../../core/api/runtime/macrotask.ts";

/** Bytes of large bodies in one turn of the event loop; the one that goes beyond is the last. */
const TURN_BYTES = 1024 * 1024;

/**
 * Lets other connections and timers have their turn between the requests of one application: making
 * and copying a body of megabytes takes milliseconds, and a hundred requests for one may come at once.
 */
export class Turns {
  #bytes = 0;
  #isWaiting = false;
  /** Requests that may go on in the next turn: twice as many after each that was not used up. */
  #share = 1;
  #waiting: (() => void)[] = [];

  /** No request may go on in this turn. */
  get isSpent(): boolean {
    return this.#isWaiting;
  }

  /** Notes a large body of so many bytes. */
  spend(bytes: number): void {
    this.#bytes += bytes;
    if (this.#isWaiting || this.#bytes < TURN_BYTES) return;
    this.#isWaiting = true;
    this.#share = 1;
    void macrotask().then(() => this.#begin());
  }

  /** Resolves in a later turn, in the order of the calls. */
  next(): Promise<void> {
    return new Promise((resolve) => void this.#waiting.push(resolve));
  }

  #begin(): void {
    this.#share = this.#bytes >= TURN_BYTES ? 1 : this.#share * 2;
    this.#bytes = 0;
    const going = this.#waiting.splice(0, this.#share);
    this.#isWaiting = this.#waiting.length > 0;
    if (this.#isWaiting) void macrotask().then(() => this.#begin());
    for (const go of going) go();
  }
}
