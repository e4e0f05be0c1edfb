/**
 * Notices that nothing happens.
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

  /** Begins to wait. */
  constructor(clock: Clock, ms: number, onIdle: () => void) {
    this.#clock = clock;
    this.#ms = ms;
    this.#onIdle = onIdle;
    this.#last = clock.now();
    this.#wait();
  }

  /** Something has happened. Costs a look at the clock: the timer is moved when it rings. */
  touch(): void {
    this.#last = this.#clock.now();
  }

  /** Stops waiting. */
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
