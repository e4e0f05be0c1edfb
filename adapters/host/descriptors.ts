/**
 * Lack of file descriptors: how to detect it, and listeners that recover from it.
 *
 * @module
 */
import { closeSync, openSync } from "node:fs";
import type { Server } from "node:net";
import type { Logger } from "../../core/api/environment.ts";

/** Why this process cannot open a file at the moment. */
export type DescriptorFault = "EMFILE" | "ENFILE";

/** What to do about it, for the log. */
export const DESCRIPTOR_ADVICE: Readonly<Record<DescriptorFault, string>> = {
  EMFILE: "this process has reached its limit of open files; raise it (ulimit -n)",
  ENFILE: "this machine has reached its limit of open files; raise fs.file-max",
};

/** Why this process cannot open a file at the moment; `undefined` if it can. */
export function descriptorFault(): DescriptorFault | undefined {
  try {
    closeSync(openSync("/dev/null", "r"));
    return undefined;
  } catch (error) {
    const { code } = error as { code?: string };
    return code === "EMFILE" || code === "ENFILE" ? code : undefined;
  }
}

const CHECK_MS = 1000;
/** The state may change with every connection, so there is at most one line per minute. */
const LOG_MS = 60_000;

declare const Deno: unknown;

/** Options of {@link keepAccepting}. */
export interface AcceptWatchOptions {
  readonly log: Logger;
  /** Name of the listener, for the log. */
  readonly name: string;
  /** Closes and reopens the listener; called if accepting cannot be restarted otherwise. */
  readonly reopen?: (() => void) | undefined;
  /** For tests. */
  readonly fault?: (() => DescriptorFault | undefined) | undefined;
  /** For tests. */
  readonly checkMs?: number | undefined;
}

/**
 * Logs when connections cannot be accepted for lack of file descriptors, which no runtime reports for a `node:net`
 * server. Restarts accepting afterwards, since Deno never retries a failed accept(). Stops when the server closes.
 */
export function keepAccepting(server: Server, options: AcceptWatchOptions): void {
  const { log, name, reopen, fault = descriptorFault, checkMs = CHECK_MS } = options;
  let seen: DescriptorFault | undefined;
  let loggedAt = -Infinity;
  let isLogged = false;
  let isQueued = false;

  function check(): void {
    if (!server.listening) return clearInterval(timer);
    const now = fault();
    if (now !== undefined && seen === undefined && performance.now() - loggedAt >= LOG_MS) {
      log.error("cannot accept connections", { at: name, reason: DESCRIPTOR_ADVICE[now] });
      loggedAt = performance.now();
      isLogged = true;
    }
    if (now === undefined && isLogged) {
      log.info("accepting connections again", { at: name });
      isLogged = false;
    }
    const hasEnded = seen !== undefined && now === undefined;
    seen = now;
    if (now === undefined && !resumeAccepting(server) && hasEnded) reopen?.();
  }

  const timer = setInterval(check, checkMs);
  timer.unref?.();
  server.on("connection", () => {
    if (isQueued) return;
    isQueued = true;
    // Wait until the connections accepted before the failure have been reported.
    setImmediate(() => {
      isQueued = false;
      if (seen === undefined && fault() !== undefined) check();
    });
  });
  server.once("close", () => clearInterval(timer));
}

/** Makes Deno accept again; returns false if that is not possible. */
function resumeAccepting(server: Server): boolean {
  if (typeof Deno === "undefined") return true;
  // On a listening handle, listen() only restarts accepting.
  const { _handle } = server as { _handle?: { listen?: (backlog: number) => number } };
  return _handle?.listen?.(511) === 0;
}
