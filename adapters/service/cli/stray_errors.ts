/**
 * Keeps the service running after uncaught errors.
 *
 * @module
 */
import process from "node:process";
import type { Logger } from "../../../core/api/environment.ts";
import { stackOf } from "../../../core/api/error_text.ts";
import { PeerFaultError } from "../../../core/api/errors.ts";
import { RequestBodyError } from "../../../plugins/shared/http/refusal.ts";
import { messageLine } from "../errors.ts";

/**
 * Logs uncaught errors instead of ending the process, so that an error in a plugin's timer does not
 * end the connections of others. `take` returns true for an error that it handles itself.
 */
export function logUncaughtErrors(
  log: Logger,
  take: (error: unknown) => boolean = () => false,
): void {
  const report = (error: unknown) => {
    if (isCausedByPeer(error)) {
      log.debug("client aborted", { reason: messageLine(error) });
    } else if (!take(error)) {
      log.error("uncaught error", { reason: messageLine(error), stack: stackOf(error) });
    }
  };
  process.on("uncaughtException", report);
  process.on("unhandledRejection", report);
}

/**
 * Whether a peer caused the error. Such an error belongs to a promise of a request body or socket that the
 * application did not await.
 */
function isCausedByPeer(error: unknown): boolean {
  return error instanceof RequestBodyError || error instanceof PeerFaultError;
}
