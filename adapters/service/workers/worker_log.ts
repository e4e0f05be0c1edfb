/**
 * The log of a worker, whose lines the main thread writes, so that there is only one log.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { messageOf } from "../../../core/api/error_text.ts";
import { ACCESS_MESSAGE } from "../../../plugins/shared/http/access_log.ts";
import { type LevelLogger, LOG_LEVELS, type LogLevel } from "../log/logger.ts";

/** Maximum number of lines of one worker that the main thread has not written; others are dropped. */
export const MAX_WAITING_LINES = 1000;

/** A line for the main thread. */
export interface WorkerLine {
  readonly level: Exclude<LogLevel, "off">;
  readonly message: string;
  /** Strings, numbers and booleans. */
  readonly fields: Readonly<Record<string, unknown>>;
}

/** The number of lines of a worker that have not been written, shared by both threads. */
export type WaitingLines = SharedArrayBuffer;

/** A counter for {@link workerLogger} and {@link writeWorkerLine}. */
export function waitingLines(): WaitingLines {
  return new SharedArrayBuffer(4);
}

/**
 * A logger that posts its lines to the main thread. The field `dropped` of a line is the number of lines
 * before it for which there was no room.
 */
export function workerLogger(
  level: LogLevel,
  waiting: WaitingLines,
  post: (line: WorkerLine) => void,
): LevelLogger {
  const count = new Int32Array(waiting);
  let least = LOG_LEVELS.indexOf(level);
  let dropped = 0;
  const at = (level: WorkerLine["level"]): Logger["info"] => {
    const severity = LOG_LEVELS.indexOf(level);
    return (message, fields = {}) => {
      // Lines of an access log are posted whatever the level, because they may go to a file of their own.
      if (severity < least && message !== ACCESS_MESSAGE) return;
      if (Atomics.load(count, 0) >= MAX_WAITING_LINES) return void dropped++;
      Atomics.add(count, 0, 1);
      const before = dropped === 0 ? {} : { dropped };
      dropped = 0;
      post({ level, message, fields: { ...plainFields(fields), ...before } });
    };
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    isEnabled: (level) => LOG_LEVELS.indexOf(level) >= least,
    get level() {
      return LOG_LEVELS[least]!;
    },
    set level(level) {
      least = LOG_LEVELS.indexOf(level);
    },
  };
}

/** Writes a line of a worker to the log of the main thread. */
export function writeWorkerLine(
  { level, message, fields }: WorkerLine,
  waiting: WaitingLines,
  worker: number,
  log: Logger,
): void {
  Atomics.sub(new Int32Array(waiting), 0, 1);
  log[level](message, { ...fields, worker });
}

/** The fields with values that a message to another thread can carry. */
function plainFields(fields: Readonly<Record<string, unknown>>): Record<string, unknown> {
  return Object.fromEntries(
    Object.entries(fields).filter(([, value]) => value !== undefined).map((
      [name, value],
    ) => [name, isPlain(value) ? value : messageOf(value)]),
  );
}

function isPlain(value: unknown): boolean {
  return ["string", "number", "boolean"].includes(typeof value);
}
