/**
 * Errors that nobody catches.
 *
 * @module
 */
import { stackOf } from "../../core/api/error_text.ts";
import process from "node:process";
import type { Logger } from "../../core/api/environment.ts";
import { messageOf } from "./errors.ts";

/** An error that a plugin leaves uncaught, as in a timer of its own, ends nobody else's connection. */
export function surviveStrayErrors(log: Logger): void {
  const report = (error: unknown) =>
    log.error("uncaught error", { reason: messageOf(error), stack: stackOf(error) });
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
}
