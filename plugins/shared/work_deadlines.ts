/**
 * Deadlines for many pieces of work with the same time limit.
 *
 * @module
 */
import type { Clock } from "../../core/api/environment.ts";

/** Work that has not ended. */
export interface PendingWork {
  /** Called once, if the time limit is reached. */
  expire(): void;
}

/**
 * A time limit for very many pieces of work: they expire in the order in which they began, so one timer
 * is enough. A timer of its own costs as much as opening a socket.
 */
export class WorkDeadlines {
  readonly #ms: number;
  readonly #queues = new WeakMap<Clock, DeadlineQueue>();

  /** A limit of `ms` milliseconds. */
  constructor(ms: number) {
    this.#ms = ms;
  }

  /** Starts the time limit of `work`. The caller calls {@link DeadlineQueue.end} of the returned queue when it ends. */
  begin(clock: Clock, work: PendingWork): DeadlineQueue {
    let queue = this.#queues.get(clock);
    if (queue === undefined) this.#queues.set(clock, queue = new DeadlineQueue(clock, this.#ms));
    queue.begin(work);
    return queue;
  }
}

/** The pending work of one clock. */
export class DeadlineQueue {
  readonly #clock: Clock;
  readonly #ms: number;
  /** When each piece of work expires, the oldest first. */
  readonly #pending = new Map<PendingWork, number>();
  #cancelTimer: (() => void) | undefined;

  constructor(clock: Clock, ms: number) {
    this.#clock = clock;
    this.#ms = ms;
  }

  begin(work: PendingWork): void {
    const at = this.#clock.now() + this.#ms;
    this.#pending.set(work, at);
    if (this.#cancelTimer === undefined) this.#setTimer(at);
  }

  /** `work` has ended; no effect if it has expired. */
  end(work: PendingWork): void {
    this.#pending.delete(work);
    if (this.#pending.size > 0) return;
    this.#cancelTimer?.();
    this.#cancelTimer = undefined;
  }

  #setTimer(at: number): void {
    this.#cancelTimer = this.#clock.schedule(at, () => {
      this.#cancelTimer = undefined;
      this.#expire();
    });
  }

  #expire(): void {
    const now = this.#clock.now();
    for (const [work, at] of this.#pending) {
      if (at > now) return this.#setTimer(at);
      this.#pending.delete(work);
      work.expire();
    }
  }
}
