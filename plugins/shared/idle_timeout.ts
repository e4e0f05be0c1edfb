/**
 * Idle timeouts.
 *
 * @module
 */
import type { Clock } from "../../core/api/environment.ts";

/** Calls `onIdle` once, when `ms` milliseconds have passed since the last {@link touch}. */
export class IdleTimeout {
  readonly #clock: Clock;
  readonly #ms: number;
  readonly #onIdle: () => void;
  #last: number;
  #cancel: (() => void) | undefined;

  /** Starts the timeout. */
  constructor(clock: Clock, ms: number, onIdle: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#onIdle = onIdle;
    this.#last = clock.now();
    this.#wait();
  }

  /**
   * Restarts the timeout. Cheap: it only reads the clock, and the timer is rescheduled when it
   * fires.
   */
  touch(): void {
    this.#last = this.#clock.now();
  }

  /** Cancels the timeout. */
  stop(): void {
    this.#cancel?.();
    this.#cancel = undefined;
  }

  #wait(): void {
    this.#cancel = this.#clock.schedule(this.#last + this.#ms, () => {
      if (this.#clock.now() < this.#last + this.#ms) return this.#wait();
      this.#cancel = undefined;
      this.#onIdle();
    });
  }
}
