/**
 * The text of log lines, for people and `grep`, or for programs.
 *
 * @module
 */
import { messageOf } from "../../../core/api/error_text.ts";

/** `"text"`: `TIME LEVEL MESSAGE NAME=VALUE ...`; `"json"`: an object on each line. */
export const LOG_FORMATS = ["text", "json"] as const;

/** One of {@link LOG_FORMATS}. */
export type LogFormat = typeof LOG_FORMATS[number];

type Fields = Readonly<Record<string, unknown>>;

/** A line without its time; equal for lines that repeat each other. */
export function formatBody(
  format: LogFormat,
  level: string,
  message: string,
  fields: Fields = {},
): string {
  return format === "json"
    ? toJson({ level, message, ...plainFields(fields) })
    : `${level.padEnd(5)} ${oneLine(message)}${textFields(fields)}`;
}

/** The line, without a newline at its end. */
export function formatLine(format: LogFormat, time: Date, body: string): string {
  const text = time.toISOString();
  return format === "json" ? `{"time":"${text}",${body.slice(1)}` : `${text} ${body}`;
}

/** Names that the line itself has. */
const OWN_NAMES: ReadonlySet<string> = new Set(["time", "level", "message"]);

function plainFields(fields: Fields): Record<string, unknown> {
  const plain: Record<string, unknown> = {};
  for (const [name, value] of Object.entries(fields)) {
    if (value !== undefined) plain[OWN_NAMES.has(name) ? `${name}_` : name] = plainValue(value);
  }
  return plain;
}

function plainValue(value: unknown): string | number | boolean {
  if (typeof value === "boolean" || typeof value === "string") return value;
  return typeof value === "number" && Number.isFinite(value) ? value : messageOf(value);
}

function textFields(fields: Fields): string {
  return Object.entries(fields)
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => ` ${name}=${textValue(value)}`)
    .join("");
}

/** Quotes values that would be ambiguous or break the line. */
function textValue(value: unknown): string {
  const text = messageOf(value);
  return /^[\x21-\x7e]+$/.test(text) && !/["=]/.test(text) ? text : toJson(text);
}

/** DEL and C1 control characters, line separators, and characters that change the direction of text. */
const UNPRINTABLE = "\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069";
const UNPRINTABLE_ONE = new RegExp(`[${UNPRINTABLE}]`, "g");
const UNPRINTABLE_OR_CONTROL = new RegExp(`[\\0-\\x1f${UNPRINTABLE}]+`, "g");

/** As JSON, in which those characters are escaped too: peers choose some values, and logs are read on terminals. */
function toJson(value: unknown): string {
  return JSON.stringify(value).replace(
    UNPRINTABLE_ONE,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}

function oneLine(message: string): string {
  return message.replace(UNPRINTABLE_OR_CONTROL, " ");
}
