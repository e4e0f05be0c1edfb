/**
 * The text of log lines, for people and `grep`, or for programs.
 *
 * @module
 */
import { messageOf } from "../../../core/api/error_text.ts";
import { printable, printableJson } from "../printable.ts";

/** `"text"`: `TIME LEVEL MESSAGE NAME=VALUE ...`; `"json"`: an object on each line. */
export const LOG_FORMATS = ["text", "json"] as const;

/** One of {@link LOG_FORMATS}. */
export type LogFormat = typeof LOG_FORMATS[number];

type Fields = Readonly<Record<string, unknown>>;

/** A line without its time; the bodies of repeated lines are equal. */
export function formatBody(
  format: LogFormat,
  level: string,
  message: string,
  fields: Fields = {},
): string {
  return format === "json"
    ? printableJson({ level, message, ...plainFields(fields) })
    : `${level.padEnd(5)} ${printable(message)}${textFields(fields)}`;
}

/** The line, without a newline at its end. */
export function formatLine(format: LogFormat, time: Date, body: string): string {
  const text = time.toISOString();
  return format === "json" ? `{"time":"${text}",${body.slice(1)}` : `${text} ${body}`;
}

/** Names that a line uses itself. */
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
  return /^[\x21-\x7e]+$/.test(text) && !/["=]/.test(text) ? text : printableJson(text);
}
