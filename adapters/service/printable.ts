/**
 * Makes text from a peer, a plugin or another service safe for a terminal.
 *
 * @module
 */

/** DEL and C1 control characters, line separators, and characters that change the direction of text. */
const UNPRINTABLE = "\\x7f-\\x9f\\u061c\\u200e\\u200f\\u2028-\\u202e\\u2066-\\u2069";
const BEYOND_JSON = new RegExp(`[${UNPRINTABLE}]`, "g");
const ALL = new RegExp(`[\\0-\\x1f${UNPRINTABLE}]+`, "g");

/** The text in one line, without characters that control a terminal. */
export function printable(text: string): string {
  return text.replace(ALL, " ");
}

/** The value as JSON, in which unprintable characters that JSON does not escape are escaped too. */
export function printableJson(value: unknown): string {
  return JSON.stringify(value).replace(
    BEYOND_JSON,
    (character) => `\\u${character.charCodeAt(0).toString(16).padStart(4, "0")}`,
  );
}
