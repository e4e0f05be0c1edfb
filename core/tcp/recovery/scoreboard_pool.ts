/**
 * Scoreboards for as long as they are needed: a connection with nothing outstanding holds none.
 *
 * @module
 */
import { Scoreboard, SentRecords } from "./scoreboard.ts";

/** Scoreboards kept for use again, at most. */
const MAX_FREE = 1024;

/** Of connections with nothing outstanding: nothing is ever put into it. */
export const EMPTY_SCOREBOARD: Scoreboard = new Scoreboard();

/** Scoreboards that nobody uses; few connections have something outstanding at the same time. */
export class ScoreboardPool {
  readonly #records = new SentRecords();
  readonly #free: Scoreboard[] = [];

  take(): Scoreboard {
    return this.#free.pop() ?? new Scoreboard(this.#records);
  }

  /** Takes an empty one back. */
  give(scoreboard: Scoreboard): void {
    if (this.#free.length < MAX_FREE) this.#free.push(scoreboard);
  }
}
