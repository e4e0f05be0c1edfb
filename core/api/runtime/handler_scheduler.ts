/**
 * Decides when handlers have finished, so that their output can be sent.
 *
 * Handlers run in the microtask queue. After a batch of packets the driver notifies the owners, and
 * has to decide when the handlers that this woke have finished: then everything they wrote is sent
 * together, and acknowledgements are piggybacked on the data. JavaScript has no way to ask whether
 * the microtask queue is empty, so `finished()` awaits an already resolved value again and again,
 * one turn of the microtask queue at a time, and watches whether handlers still call into the core.
 *
 * **Assumptions about the event loop.** `await undefined` resumes after every microtask that was queued before
 * it (ECMA-262 guarantees this), and `macrotask()` after the timers and I/O that are due. How many turns
 * pass between two calls of a handler is estimated: up to 3 in a `for await` loop, a few dozen in an
 * application with promises of its own, such as Hono with middleware.
 *
 * **If a runtime breaks them.** Only how packets are combined depends on the estimates. If handlers
 * are considered finished too early, a pure ACK is sent and the response follows one microtask after
 * it was written; nothing is lost or held back. If too late, {@link MAX_TURNS} bounds the wait.
 * Handlers that wait for I/O or a timer are never waited for.
 *
 * Tests: `tests/core/api/runtime/handler_scheduler_test.ts`; "64 bytes there and back" and "HTTP
 * hello" of the end-to-end benchmark show the cost of separate ACKs.
 *
 * @module
 */
import type { Clock } from "../environment.ts";
import { macrotask } from "./macrotask.ts";

/** Turns of the microtask queue without a call into the core after which handlers count as finished. */
export const QUIET_TURNS = 3;
/**
 * {@link QUIET_TURNS} while a small read has not been followed by a write: a handler is probably
 * computing a response.
 */
export const QUIET_TURNS_UNANSWERED = 48;
/** Maximum number of turns. */
export const MAX_TURNS = 256;
/**
 * Maximum size of a request in bytes; a larger read belongs to a stream, whose reader may never
 * answer.
 */
export const SMALL_READ = 2048;
/** Milliseconds of work after which timers and I/O get their turn. */
export const BUDGET_MS = 2;

/** Detects when the handlers of one stack have finished, and flushes their output. */
export class HandlerScheduler {
  readonly #clock: Clock;
  readonly #flush: () => void;
  /** Number of calls into the core: while it grows, handlers are running. */
  #calls = 0;
  /** Number of small reads without a write after them. */
  #unanswered = 0;
  /** Handlers were notified, and {@link finished} is waiting for them. */
  #isWaiting = false;
  /** The clock reading of the current turn; NaN until {@link now} is called. */
  #turnNow = NaN;
  #isFlushQueued = false;
  #budgetFrom: number;

  /** `flush` sends what the core has to send, and calls {@link flushed}. */
  constructor(clock: Clock, flush: () => void) {
    this.#clock = clock;
    this.#flush = flush;
    this.#budgetFrom = clock.now();
  }

  /** Milliseconds. Handlers that run in the same turn share one reading of the clock. */
  now(): number {
    if (!this.#isWaiting) return this.#clock.now();
    if (Number.isNaN(this.#turnNow)) this.#turnNow = this.#clock.now();
    return this.#turnNow;
  }

  /**
   * Handlers are about to be notified. The caller awaits {@link finished}, and then sends their
   * output.
   */
  begin(): void {
    this.#isWaiting = true;
    this.#turnNow = NaN;
  }

  /** Resolves when the notified handlers have finished, or have had {@link MAX_TURNS}. */
  async finished(): Promise<void> {
    let quiet = 0;
    for (let turn = 0; turn < MAX_TURNS; turn++) {
      const before = this.#calls;
      this.#turnNow = NaN;
      await undefined;
      quiet = this.#calls === before ? quiet + 1 : 0;
      if (quiet >= (this.#unanswered > 0 ? QUIET_TURNS_UNANSWERED : QUIET_TURNS)) break;
    }
    this.#isWaiting = false;
  }

  /** A handler has called into the core. */
  noteCall(): void {
    this.#calls++;
    this.flushSoon();
  }

  /** A handler has read `count` bytes. */
  noteRead(count: number): void {
    if (count < SMALL_READ) this.#unanswered++;
    this.noteCall();
  }

  /** A handler has written. */
  noteWrite(): void {
    if (this.#unanswered > 0) this.#unanswered--;
    this.noteCall();
  }

  /** Flushes at the end of this turn, unless {@link finished} is waiting for handlers. */
  flushSoon(): void {
    if (this.#isFlushQueued || this.#isWaiting) return;
    this.#isFlushQueued = true;
    queueMicrotask(() => {
      if (this.#isFlushQueued) this.#flush();
    });
  }

  /** Everything has been sent. */
  flushed(): void {
    this.#isFlushQueued = false;
    this.#unanswered = 0;
  }

  /** A turn of the event loop for timers and I/O, if {@link BUDGET_MS} have passed since the last one. */
  yieldIfDue(now: number): Promise<void> | undefined {
    return now - this.#budgetFrom < BUDGET_MS ? undefined : this.#yield();
  }

  async #yield(): Promise<void> {
    await macrotask();
    this.#budgetFrom = this.#clock.now();
  }
}
