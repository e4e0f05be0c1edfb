/**
 * Faults of the machine that files are read from.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";

/** Every request may meet the fault: one line a minute says enough. */
const INTERVAL_MS = 60_000;

/** Logs faults, and how many were not logged. */
export class FaultLog {
  readonly #now: () => number;
  #loggedAt = -Infinity;
  #unlogged = 0;

  constructor(now: () => number = () => performance.now()) {
    this.#now = now;
  }

  /** One more; `log` is the log of whoever met it. */
  add(error: Error, log: Logger | undefined): void {
    if (log === undefined || this.#now() - this.#loggedAt < INTERVAL_MS) {
      this.#unlogged++;
      return;
    }
    log.error("files: cannot read", { reason: error.message, others: this.#unlogged });
    this.#loggedAt = this.#now();
    this.#unlogged = 0;
  }
}
