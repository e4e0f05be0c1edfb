/**
 * What ends the service with a message for people.
 *
 * @module
 */
import { stripVTControlCharacters } from "node:util";

/** A flag, a configuration or a plugin that cannot be used: the message says what to do. */
export class UsageError extends Error {
  /** Always `"UsageError"`. */
  override readonly name = "UsageError";
}

/** The message of whatever was thrown, on one line and without the colours of a terminal. */
export function messageOf(error: unknown): string {
  const message = stripVTControlCharacters(error instanceof Error ? error.message : String(error));
  return message.split("\n").map((line) => line.trim()).filter((line) => line !== "").join(" ");
}
