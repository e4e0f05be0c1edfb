import { setImmediate, setTimeout } from "node:timers";
import type { Clock } from "../../core/api/environment.ts";

interface Timer {
  readonly at: number;
  /** Timers due at the same time run in the order in which they were scheduled. */
  readonly order: number;
  readonly wake: () => void;
}

/** Maximum number of timers that run at one point in time, for timers that reschedule themselves without delay. */
const MAX_TIMERS_PER_INSTANT = 100_000;
/** Maximum number of event loop turns to wait for work that no timer drives, such as a digest in another thread. */
const MAX_IDLE_TURNS = 1000;

/**
 * A clock that advances only on request: hours of protocol time run in milliseconds, and
 * reproducibly. Between two timers, all pending work of the event loop runs.
 *
 * @example
 * ```ts
 * import { VirtualClock } from "@berth/berth/testing";
 *
 * const clock = new VirtualClock();
 * let woken = false;
 * clock.schedule(60_000, () => woken = true);
 * await clock.advance(60_000);
 * if (!woken) throw new Error("the timer did not run");
 * ```
 */
export class VirtualClock implements Clock {
  #now: number;
  #scheduled = 0;
  /** In reverse order: the next timer is last. */
  readonly #timers: Timer[] = [];
  #instant = -1;
  #firedAtInstant = 0;

  /** Creates a clock that starts at `now`, in milliseconds. */
  constructor(now = 0) {
    this.#now = now;
  }

  /** Virtual milliseconds. */
  now(): number {
    return this.#now;
  }

  /** Number of pending timers. */
  get pending(): number {
    return this.#timers.length;
  }

  /** Calls `wake` when virtual time reaches `at`, never before this call returns. */
  schedule(at: number, wake: () => void): () => void {
    if (Number.isNaN(at)) throw new RangeError("a timer cannot be scheduled at NaN");
    const timer = { at: Math.max(at, this.#now), order: this.#scheduled++, wake };
    this.#timers.splice(this.#indexOf(timer), 0, timer);
    return () => {
      const index = this.#indexOf(timer);
      if (this.#timers[index] === timer) this.#timers.splice(index, 1);
    };
  }

  /**
   * Advances by `ms` milliseconds: runs the timers that become due, in order, and the work that
   * they start.
   *
   * @throws An error thrown by a timer, or an error if timers keep firing without time passing.
   */
  async advance(ms: number): Promise<void> {
    const end = this.#now + ms;
    await this.settle();
    for (let next = this.#next(); next && next.at <= end; next = this.#next()) {
      this.#fire(next);
      await this.settle();
    }
    this.#now = Math.max(this.#now, end);
  }

  /** Advances from timer to timer until a promise settles; returns its result. */
  async runUntil<T>(until: Promise<T>, options?: { limitMs?: number }): Promise<T>;
  /** Advances from timer to timer until a condition holds. */
  async runUntil(until: () => boolean, options?: { limitMs?: number }): Promise<void>;
  /**
   * @throws {Error} The condition was not met within `limitMs` virtual milliseconds (default one hour), or no timer is left.
   */
  async runUntil<T>(
    until: Promise<T> | (() => boolean),
    { limitMs = 3_600_000 }: { limitMs?: number } = {},
  ): Promise<T | void> {
    const isDone = typeof until === "function" ? until : settlementOf(until);
    const end = this.#now + limitMs;
    for (let idle = 0;;) {
      await this.settle();
      if (isDone()) break;
      const next = this.#next();
      if (next !== undefined && next.at > end) {
        throw new Error(`the condition was not met within ${limitMs} ms of virtual time`);
      }
      if (next !== undefined) this.#fire(next);
      else if (idle++ < MAX_IDLE_TURNS) await realMillisecond();
      else throw new Error(`the condition is not met at ${this.#now} ms, and no timer is pending`);
    }
    if (typeof until !== "function") return await until;
  }

  /** Runs all pending work of the event loop without advancing the time. */
  settle(): Promise<void> {
    // A turn of the event loop starts when the microtask queue is empty.
    return new Promise((resolve) => void setImmediate(resolve));
  }

  #next(): Timer | undefined {
    return this.#timers.at(-1);
  }

  #fire(timer: Timer): void {
    if (timer.at !== this.#instant) [this.#instant, this.#firedAtInstant] = [timer.at, 0];
    if (++this.#firedAtInstant > MAX_TIMERS_PER_INSTANT) {
      throw new Error(`timers keep firing at ${timer.at} ms: time does not pass`);
    }
    this.#timers.pop();
    this.#now = timer.at;
    timer.wake();
  }

  /** Index of a timer in the reversed list, or its insertion point. */
  #indexOf({ at, order }: Timer): number {
    let low = 0;
    let high = this.#timers.length;
    while (low < high) {
      const middle = (low + high) >>> 1;
      const other = this.#timers[middle]!;
      if (other.at > at || (other.at === at && other.order > order)) low = middle + 1;
      else high = middle;
    }
    return low;
  }
}

function settlementOf(promise: Promise<unknown>): () => boolean {
  let settled = false;
  const settle = () => settled = true;
  promise.then(settle, settle);
  return () => settled;
}

function realMillisecond(): Promise<void> {
  return new Promise((resolve) => void setTimeout(resolve, 1));
}
