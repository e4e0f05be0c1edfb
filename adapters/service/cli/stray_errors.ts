/**
 * Errors that nobody catches.
 *
 * @module
 */
import process from "node:process";
import type { Logger } from "../../../core/api/environment.ts";
import { stackOf } from "../../../core/api/error_text.ts";
import { messageOf } from "../errors.ts";

/**
 * An error that a plugin leaves uncaught, as in a timer of its own, ends nobody else's connection.
 * What `take` returns true for is its own.
 */
export function logUncaughtErrors(
  log: Logger,
  take: (error: unknown) => boolean = () => false,
): void {
  const report = (error: unknown) => {
    if (!take(error)) {
      log.error("uncaught error", { reason: messageOf(error), stack: stackOf(error) });
    }
  };
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
}
