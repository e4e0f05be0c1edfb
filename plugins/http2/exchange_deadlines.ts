/**
 * The deadlines of all exchanges of a connection, on one timer.
 *
 * @module
 */
import type { Clock } from "../../core/api/types.ts";

/** Part of an exchange that has a deadline. */
export interface Expirable {
  /** The earliest deadline; `Infinity`: none. */
  readonly deadline: number;
  /** Handles deadlines that have passed. */
  expire(now: number): void;
}

/** Calls `expire` of each exchange whose deadline has passed. */
export class ExchangeDeadlines {
  readonly #clock: Clock;
  readonly #exchanges: () => Iterable<Expirable>;
  #wakeAt = Infinity;
  #cancel: (() => void) | undefined;

  /** `exchanges` returns those that have not ended. */
  constructor(clock: Clock, exchanges: () => Iterable<Expirable>) {
    this.#clock = clock;
    this.#exchanges = exchanges;
  }

  /** An exchange has the deadline `at`. Moving it later needs no call. */
  watch(at: number): void {
    if (at >= this.#wakeAt) return;
    this.#cancel?.();
    this.#wakeAt = at;
    this.#cancel = this.#clock.schedule(at, () => this.#wake());
  }

  /** Cancels the timer. */
  dispose(): void {
    this.#cancel?.();
  }

  #wake(): void {
    const now = this.#clock.now();
    this.#wakeAt = Infinity;
    this.#cancel = undefined;
    let next = Infinity;
    for (const exchange of [...this.#exchanges()]) {
      if (exchange.deadline <= now) exchange.expire(now);
      next = Math.min(next, exchange.deadline);
    }
    if (next < Infinity) this.watch(next);
  }
}
