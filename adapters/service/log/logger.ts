/**
 * Log lines for people and for `grep`.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { messageOf } from "../../../core/api/error_text.ts";

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
  /** Writes a line, which has no newline at its end. */
  write: (line: string) => void;
  /** The timestamp of a line; default: the wall clock. */
  now?: () => Date;
}

/** Writes a line to stderr; does nothing where stderr is closed. */
export function writeToStderr(line: string): void {
  try {
    console.error(line);
  } catch {
    // The terminal or the pipe is gone; the service goes on without a log.
  }
}

/** A logger whose level can be changed at any time. */
export interface LevelLogger extends Logger {
  level: LogLevel;
}

/** A logger of lines such as `2026-01-31T12:00:00.000Z info  connection closed port=80 plugin=http`. */
export function createLogger(
  { level, write, now = () => new Date() }: LoggerOptions,
): LevelLogger {
  let least = LOG_LEVELS.indexOf(level);
  const at = (own: LogLevel): Logger["info"] => {
    const label = own.padEnd(5);
    const severity = LOG_LEVELS.indexOf(own);
    return (message, fields) => {
      if (severity < least) return;
      write(`${now().toISOString()} ${label} ${oneLine(message)}${formatFields(fields)}`);
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

function formatFields(fields: Readonly<Record<string, unknown>> = {}): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${formatValue(value)}`)
    .join("");
}

/** Quotes values that would be ambiguous or break the line. */
function formatValue(value: unknown): string {
  const text = messageOf(value);
  return /^[\x21-\x7e]+$/.test(text) && !/["=]/.test(text) ? text : JSON.stringify(text);
}

function oneLine(message: string): string {
  return message.replace(/\p{Cc}+/gu, " ");
}
