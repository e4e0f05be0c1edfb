/**
 * After a reload, moves connections of replaced plugins to the plugins that have replaced them.
 *
 * @module
 */
import { type Clock, type Logger, sleepUntil, systemClock } from "../../../core/api/environment.ts";
import type { RetiredHandlers } from "../../../core/api/types.ts";

/** Time in milliseconds before connections that could not move are tried again; it doubles up to a limit. */
const AGAIN_MS = 1000;
const MAX_AGAIN_MS = 30_000;

/** The moves of one stack. */
export class HandlerMoves {
  readonly #log: Logger;
  readonly #clock: Clock;
  readonly #stopped = new AbortController();

  constructor(log: Logger, clock: Clock = systemClock) {
    this.#log = log;
    this.#clock = clock;
  }

  /**
   * Moves the connections that can move now, and the others as soon as they can. Resolves with the number of
   * connections that have moved now.
   */
  async follow(retired: RetiredHandlers): Promise<number> {
    const { moved, stayed } = await retired.move();
    if (moved + stayed > 0) {
      this.#log.info("connections continue with the new plugins", { moved, stayed });
    }
    if (stayed > 0) void this.#tryAgain(retired);
    return moved;
  }

  /** Stops moving connections. */
  stop(): void {
    this.#stopped.abort();
  }

  async #tryAgain(retired: RetiredHandlers): Promise<void> {
    const { signal } = this.#stopped;
    let pauseMs = AGAIN_MS;
    for (let left = 1; left > 0;) {
      await sleepUntil(this.#clock, this.#clock.now() + pauseMs, signal);
      if (signal.aborted) return;
      const { moved, stayed } = await retired.move();
      left = stayed;
      pauseMs = moved > 0 ? AGAIN_MS : Math.min(2 * pauseMs, MAX_AGAIN_MS);
    }
  }
}
