/**
 * The logger of the service. It writes lines from a level on, and counts repeated lines.
 *
 * @module
 */
import { type Clock, type Logger, systemClock } from "../../../core/api/environment.ts";
import { formatBody, formatLine, type LogFormat } from "./line_format.ts";

/** The log levels, the most verbose first. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "off"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** The more verbose of two levels. */
export function moreVerbose(one: LogLevel, other: LogLevel): LogLevel {
  return LOG_LEVELS.indexOf(one) < LOG_LEVELS.indexOf(other) ? one : other;
}

/** Options of {@link createLogger}. */
export interface LoggerOptions {
  /** The least severe level that is written. */
  level: LogLevel;
  /** Default `"text"`. */
  format?: LogFormat;
  /** Writes a line, which has no newline at its end. */
  write: (line: string, level: LogLevel) => void;
  /** The timestamp of a line; default: the wall clock. */
  now?: () => Date;
  /** The clock for counting repeated lines; default: the runtime's. */
  clock?: Clock;
}

/** Writes a line to stderr; does nothing where stderr is closed. */
export function writeToStderr(line: string): void {
  try {
    console.error(line);
  } catch {
    // The terminal or the pipe is closed, so the service continues without a log.
  }
}

/** A logger whose level can be changed at any time. */
export interface LevelLogger extends Logger {
  level: LogLevel;
}

/** A logger whose format can be changed at any time. */
export interface ServiceLogger extends LevelLogger {
  format: LogFormat;
  /** Writes how often the last line was repeated, if it was; the next line is written in any case. */
  flush(): void;
}

/** Maximum time for which repeated lines are counted before their number is written, in milliseconds. */
const REPEATED_MS = 10_000;

/**
 * A logger of lines such as `2026-01-31T12:00:00.000Z info  connection closed port=80 plugin=http`. A line
 * that repeats the last one is not written but counted: `the last line was repeated times=41`
 * follows when another line comes, or after ten seconds.
 */
export function createLogger(
  { level, format = "text", write, now = () => new Date(), clock = systemClock }: LoggerOptions,
): ServiceLogger {
  let least = LOG_LEVELS.indexOf(level);
  let last = { level, body: "", repeated: 0 };
  let cancelFlush: (() => void) | undefined;
  const put = (level: LogLevel, body: string) => write(formatLine(format, now(), body), level);
  const writeRepeats = () => {
    cancelFlush?.();
    cancelFlush = undefined;
    if (last.repeated === 0) return;
    const times = { times: last.repeated };
    last.repeated = 0;
    put(last.level, formatBody(format, last.level, "the last line was repeated", times));
  };
  const flush = () => {
    writeRepeats();
    last.body = "";
  };
  const at = (level: LogLevel): Logger["info"] => {
    const severity = LOG_LEVELS.indexOf(level);
    return (message, fields) => {
      if (severity < least) return;
      const body = formatBody(format, level, message, fields);
      if (body === last.body) {
        last.repeated++;
        cancelFlush ??= clock.schedule(clock.now() + REPEATED_MS, writeRepeats);
        return;
      }
      writeRepeats();
      last = { level, body, repeated: 0 };
      put(level, body);
    };
  };
  return {
    debug: at("debug"),
    info: at("info"),
    warn: at("warn"),
    error: at("error"),
    isEnabled: (level) => LOG_LEVELS.indexOf(level) >= least,
    flush,
    get level() {
      return LOG_LEVELS[least]!;
    },
    set level(level) {
      least = LOG_LEVELS.indexOf(level);
    },
    get format() {
      return format;
    },
    set format(next) {
      flush();
      format = next;
    },
  };
}
