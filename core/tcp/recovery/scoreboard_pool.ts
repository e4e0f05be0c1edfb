/**
 * A pool of scoreboards: only connections with data in flight hold one.
 *
 * @module
 */
import { Scoreboard, SentRecords } from "./scoreboard.ts";

/** Maximum number of unused scoreboards. */
const MAX_FREE = 1024;

/** The scoreboard of connections with nothing in flight; never written to. */
export const EMPTY_SCOREBOARD: Scoreboard = new Scoreboard();

/** Unused scoreboards. Few connections have data in flight at the same time. */
export class ScoreboardPool {
  readonly #records = new SentRecords();
  readonly #free: Scoreboard[] = [];

  take(): Scoreboard {
    return this.#free.pop() ?? new Scoreboard(this.#records);
  }

  /** Reserves `count` positions in the order of sending; returns the last of them. */
  reserveOrders(count: number): number {
    return this.#records.order += count;
  }

  /** Returns an empty scoreboard to the pool. */
  give(scoreboard: Scoreboard): void {
    if (this.#free.length < MAX_FREE) this.#free.push(scoreboard);
  }
}
