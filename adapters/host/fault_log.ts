/**
 * A rate-limited log of local faults that any client may trigger, such as a lack of file descriptors.
 *
 * @module
 */
import type { Logger } from "../../core/api/environment.ts";

/** At most one line per minute. */
const INTERVAL_MS = 60_000;

/** Logs faults, with the number of those that were suppressed since the last line. */
export class FaultLog {
  readonly #message: string;
  readonly #now: () => number;
  #loggedAt = -Infinity;
  #unlogged = 0;

  /** `message` is the message of every line. */
  constructor(message: string, now: () => number = () => performance.now()) {
    this.#message = message;
    this.#now = now;
  }

  /** Reports a fault; `log` is the log of the connection that it happened on. */
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
