/**
 * Sends what the dashboard shows as server-sent events.
 *
 * @module
 */
import type { Clock } from "../../../core/api/environment.ts";
import { SerialQueue } from "../../../core/api/runtime/serial_queue.ts";

/** Minimum time between two updates, in milliseconds: 10 updates a second. */
export const MIN_EVERY_MS = 100;
/** Maximum number of viewers. */
export const MAX_VIEWERS = 16;
/** Maximum share of the thread's time that the updates of all viewers take together. */
export const MAX_SHARE = 0.02;
/** Longest time between two updates because of {@link MAX_SHARE}, in milliseconds. */
const MAX_PAUSE_MS = 10_000;

/**
 * Streams of updates for any number of viewers. An update is made when its viewer has read the one before: a
 * viewer that stops reading costs nothing, and one that reads slowly gets fewer.
 */
export class LiveUpdates {
  readonly #clock: Clock;
  /** Makes one update at a time. */
  readonly #queue = new SerialQueue();
  readonly #viewers = new Set<() => void>();
  /** The earliest time of the next update. */
  #rested = 0;

  constructor(clock: Clock) {
    this.#clock = clock;
  }

  /** Number of viewers. */
  get viewers(): number {
    return this.#viewers.size;
  }

  /**
   * A stream with an update from `take` at most every `everyMs`; `undefined` if there are too many. The first
   * update is made at once: a person waits for it.
   */
  open(take: () => Promise<unknown>, everyMs: number): ReadableStream<Uint8Array> | undefined {
    if (this.#viewers.size >= MAX_VIEWERS) return undefined;
    const closing = new AbortController();
    const close = () => {
      this.#viewers.delete(close);
      closing.abort();
    };
    this.#viewers.add(close);
    let due = -Infinity;
    return new ReadableStream({
      pull: async (controller) => {
        await this.#sleepUntil(due, closing.signal);
        const notBefore = due === -Infinity ? due : undefined;
        due = this.#clock.now() + Math.max(everyMs, MIN_EVERY_MS);
        let update: unknown;
        try {
          update = await this.#queue.run(() => this.#take(take, closing.signal, notBefore));
        } catch (error) {
          close();
          throw error;
        }
        if (update === undefined) return controller.close();
        controller.enqueue(new TextEncoder().encode(`data: ${JSON.stringify(update)}\n\n`));
      },
      cancel: close,
    }, { highWaterMark: 0 });
  }

  /** Ends all streams. */
  close(): void {
    for (const close of this.#viewers) close();
  }

  async #take(
    take: () => Promise<unknown>,
    signal: AbortSignal,
    notBefore: number = this.#rested,
  ): Promise<unknown> {
    await this.#sleepUntil(notBefore, signal);
    if (signal.aborted) return undefined;
    const began = this.#clock.now();
    try {
      return await take();
    } finally {
      const now = this.#clock.now();
      this.#rested = now + Math.min((now - began) / MAX_SHARE, MAX_PAUSE_MS);
    }
  }

  /** Resolves at `time`, or at once if that has passed or the viewer has gone. */
  #sleepUntil(time: number, signal: AbortSignal): Promise<void> {
    return new Promise((resolve) => {
      if (signal.aborted || time <= this.#clock.now()) return resolve();
      const cancel = this.#clock.schedule(time, () => {
        signal.removeEventListener("abort", wake);
        resolve();
      });
      const wake = () => {
        cancel();
        resolve();
      };
      signal.addEventListener("abort", wake, { once: true });
    });
  }
}
