/**
 * Measures the responsiveness of an event loop.
 *
 * @module
 */

/** Times from setting a timer of 1 ms to its call, in milliseconds. */
export interface Delays {
  timers: number;
  p50: number;
  p99: number;
  max: number;
}

/** Sets timers of 1 ms, one after the other, until it is stopped. */
export class DelayWatch {
  readonly #delays: number[] = [];
  #isStopped = false;

  /** Starts measuring. */
  constructor() {
    this.#next();
  }

  /** Stops measuring. */
  stop(): Delays {
    this.#isStopped = true;
    const sorted = Float64Array.from(this.#delays).sort();
    const quantile = (share: number) => {
      const index = Math.min(sorted.length - 1, Math.floor(sorted.length * share));
      return Math.round((sorted[index] ?? NaN) * 100) / 100;
    };
    return { timers: sorted.length, p50: quantile(0.5), p99: quantile(0.99), max: quantile(1) };
  }

  #next(): void {
    const before = performance.now();
    setTimeout(() => {
      if (this.#isStopped) return;
      this.#delays.push(performance.now() - before);
      this.#next();
    }, 1);
  }
}
