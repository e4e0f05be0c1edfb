/**
 * Shares the event loop between clients with large responses or many requests.
 *
 * @module
 */
import { clientOf, ClientRotation } from "../client_rotation.ts";
import { macrotask } from "../../../core/api/runtime/macrotask.ts";

/**
 * Limit of bytes of large bodies per turn of the event loop; the body that exceeds it is the turn's
 * last.
 */
const TURN_BYTES = 1024 * 1024;
/** Limit of pipelined or multiplexed requests per turn, which take about as long as a megabyte of bodies. */
const TURN_REQUESTS = 1024;
/** Requests resumed in the turn after {@link TURN_REQUESTS}. */
const RESUMED_REQUESTS = 256;

/**
 * Gives other connections and timers a turn between the requests of one application: making and copying a
 * body of several megabytes takes milliseconds, and a hundred requests for such a body may arrive at once, or
 * thousands of small requests on a single connection.
 */
export class Turns {
  #bytes = 0;
  #requests = 0;
  #isWaiting = false;
  /** Requests resumed in the next turn: doubled after each turn that stayed below the limit. */
  #share = 1;
  readonly #waiting = new ClientRotation<() => void>();

  /** Whether requests have to wait for the next turn. */
  get isSpent(): boolean {
    return this.#isWaiting;
  }

  /** Counts a large body. */
  spend(bytes: number): void {
    this.#bytes += bytes;
    if (this.#isWaiting || this.#bytes < TURN_BYTES) return;
    this.#isWaiting = true;
    this.#share = 1;
    void macrotask().then(() => this.#begin());
  }

  /** Counts a pipelined or multiplexed request. */
  countRequest(): void {
    if (++this.#requests < TURN_REQUESTS || this.#isWaiting) return;
    this.#isWaiting = true;
    this.#share = RESUMED_REQUESTS;
    void macrotask().then(() => this.#begin());
  }

  /** Waits for a later turn. Clients take turns; the requests of each are resumed in order. */
  next(hostname: string): Promise<void> {
    return new Promise((resolve) => this.#waiting.add(clientOf(hostname), resolve));
  }

  #begin(): void {
    this.#share = this.#bytes >= TURN_BYTES ? 1 : this.#share * 2;
    this.#bytes = 0;
    this.#requests = 0;
    for (let left = this.#share; left > 0 && !this.#waiting.isEmpty; left--) {
      this.#waiting.take()!();
    }
    this.#isWaiting = !this.#waiting.isEmpty;
    if (this.#isWaiting) void macrotask().then(() => this.#begin());
  }
}
