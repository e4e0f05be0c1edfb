/**
 * Errors that end the service, and their messages.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";
import { messageOf } from "../../core/api/error_text.ts";

/** A flag, a configuration file or a plugin cannot be used; the message says what to do. */
export class UsageError extends Error {
  /** Always `"UsageError"`. */
  override readonly name = "UsageError";
}

/** The message of a thrown value for a terminal: on one line and without escape sequences. */
export function messageLine(error: unknown): string {
  const message = stripVTControlCharacters(messageOf(error));
  return message.split("\n").map((line) => line.trim()).filter((line) => line !== "").join(" ");
}
