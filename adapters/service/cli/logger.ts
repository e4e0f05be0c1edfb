/**
 * Log lines for people and for `grep`.
 *
 * @module
 */
import type { Logger } from "../../../core/api/environment.ts";
import { messageOf } from "../../../core/api/error_text.ts";

/** What is written, from everything to failures only, or nothing. */
export const LOG_LEVELS = ["debug", "info", "warn", "error", "off"] as const;

/** One of {@link LOG_LEVELS}. */
export type LogLevel = typeof LOG_LEVELS[number];

/** What {@link createLogger} takes. */
export interface LoggerOptions {
  /** The least that is written. */
  level: LogLevel;
  /** Takes a line without its end. */
  write: (line: string) => void;
  /** The time of a line; default the wall clock. */
  now?: () => Date;
}

/** Writes a line to stderr, or nowhere: a terminal that was closed must not end what is told about. */
export function writeToStderr(line: string): void {
  try {
    console.error(line);
  } catch {
    // Nobody reads it.
  }
}

/** Writes lines such as `2026-01-31T12:00:00.000Z info  connection closed port=80 plugin=http`. */
export function createLogger({ level, write, now = () => new Date() }: LoggerOptions): Logger {
  const least = LOG_LEVELS.indexOf(level);
  const at = (own: LogLevel): Logger["info"] => {
    if (LOG_LEVELS.indexOf(own) < least) return () => {};
    const label = own.padEnd(5);
    return (message, fields) =>
      write(`${now().toISOString()} ${label} ${oneLine(message)}${formatFields(fields)}`);
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}

function formatFields(fields: Readonly<Record<string, unknown>> = {}): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${formatValue(value)}`)
    .join("");
}

/** A value that could be taken for something else, or for another line, is quoted. */
function formatValue(value: unknown): string {
  const text = messageOf(value);
  return /^[\x21-\x7e]+$/.test(text) && !/["=]/.test(text) ? text : JSON.stringify(text);
}

function oneLine(message: string): string {
  return message.replace(/\p{Cc}+/gu, " ");
}
