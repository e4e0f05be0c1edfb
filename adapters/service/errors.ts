/**
 * Errors that end the service, and their messages.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";

/** A flag, a configuration file or a plugin cannot be used; the message says what to do. */
export class UsageError extends Error {
  /** Always `"UsageError"`. */
  override readonly name = "UsageError";
}

/** The message of a thrown value, on one line and without terminal escape sequences. */
export function messageOf(error: unknown): string {
  const message = stripVTControlCharacters(error instanceof Error ? error.message : String(error));
  return message.split("\n").map((line) => line.trim()).filter((line) => line !== "").join(" ");
}
