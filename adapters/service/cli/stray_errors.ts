/**
 * Errors that nobody catches.
 *
 * @module
 */
import process from "node:process";
import type { Logger } from "../../../core/api/environment.ts";
import { stackOf } from "../../../core/api/error_text.ts";
import { PeerFaultError } from "../../../core/api/errors.ts";
import { RequestBodyError } from "../../../plugins/shared/http/refusal.ts";
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
    if (isPeersDoing(error)) {
      log.debug("a client broke off", { reason: messageOf(error) });
    } else if (!take(error)) {
      log.error("uncaught error", { reason: messageOf(error), stack: stackOf(error) });
    }
  };
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
}

/** A promise of a request's body, or of a socket's, that an application has left behind. */
function isPeersDoing(error: unknown): boolean {
  return error instanceof RequestBodyError || error instanceof PeerFaultError;
}
