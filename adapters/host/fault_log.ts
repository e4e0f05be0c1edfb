/**
 * Faults of the machine that every client may meet, such as a lack of file descriptors.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";

/** One line a minute says enough. */
const INTERVAL_MS = 60_000;

/** Logs faults, and how many were not logged. */
export class FaultLog {
  readonly #message: string;
  readonly #now: () => number;
  #loggedAt = -Infinity;
  #unlogged = 0;

  /** `message` is what the lines say. */
  constructor(message: string, now: () => number = () => performance.now()) {
    this.#message = message;
    this.#now = now;
  }

  /** One more; `log` is the log of whoever met it. */
  add(error: Error, log: Logger | undefined): void {
    if (log === undefined || this.#now() - this.#loggedAt < INTERVAL_MS) {
      this.#unlogged++;
      return;
    }
    log.error(this.#message, { reason: error.message, others: this.#unlogged });
    this.#loggedAt = this.#now();
    this.#unlogged = 0;
  }
}
