/**
 * A clock that is read once for each burst of work. A burst lasts until the microtask queue is empty: after a batch of
 * packets, the handlers of many connections run in the same burst, and reading the clock for each request would be a
 * noticeable part of its cost.
 *
 * @module
 */
import type { Clock } from "../../../core/api/types.ts";

const CLOCKS = new WeakMap<Clock, BurstClock>();
const RESOLVED = Promise.resolve();

/** The burst clock of a clock; all plugins of a stack share one. */
export function burstClockOf(clock: Clock): BurstClock {
  let found = CLOCKS.get(clock);
  if (found === undefined) {
    found = new BurstClock(clock);
    CLOCKS.set(clock, found);
  }
  return found;
}

/** Returns the same time throughout a burst: that of its first reading. */
export class BurstClock implements Clock {
  readonly #clock: Clock;
  /** NaN: not read in this burst. */
  #reading = NaN;
  #isEndScheduled = false;
  #atEnd: ((now: number) => void)[] = [];

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  now(): number {
    if (Number.isNaN(this.#reading)) {
      this.#reading = this.#clock.now();
      this.#scheduleEnd();
    }
    return this.#reading;
  }

  schedule(at: number, wake: () => void): () => void {
    return this.#clock.schedule(at, wake);
  }

  /** Calls `callback` once, with the current time, after everything now in the microtask queue has run. */
  atEnd(callback: (now: number) => void): void {
    this.#atEnd.push(callback);
    this.#scheduleEnd();
  }

  #scheduleEnd(): void {
    if (this.#isEndScheduled) return;
    this.#isEndScheduled = true;
    void RESOLVED.then(this.#end);
  }

  readonly #end = (): void => {
    this.#reading = NaN;
    this.#isEndScheduled = false;
    if (this.#atEnd.length === 0) return;
    const callbacks = this.#atEnd;
    this.#atEnd = [];
    const now = this.#clock.now();
    for (const callback of callbacks) callback(now);
  };
}
