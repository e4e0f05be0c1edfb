/**
 * File descriptors of this process: what is to be had, and listeners for which there was none.
 *
 * @module
 */
import { closeSync, openSync } from "node:fs";
import type { Server } from "node:net";
import type { Logger } from "../../core/api/environment.ts";

/** Why no file can be opened by this process at the moment. */
export type DescriptorFault = "EMFILE" | "ENFILE";

/** What to do about it. */
export const DESCRIPTOR_ADVICE: Readonly<Record<DescriptorFault, string>> = {
  EMFILE: "this process has as many open files as it may; raise its limit (ulimit -n)",
  ENFILE: "this machine has as many open files as it may; raise fs.file-max",
};

/** Whether this process can open a file at the moment; if not, why. */
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
/** Connections that come and go make it go up and down: one line a minute says enough. */
const LOG_MS = 60_000;

declare const Deno: unknown;

/** What {@link keepAccepting} needs to know and do, for tests. */
export interface AcceptWatchOptions {
  readonly log: Logger;
  /** What listens, for the log. */
  readonly name: string;
  /** Closes the listener and opens it again; called where accepting cannot be resumed otherwise. */
  readonly reopen?: (() => void) | undefined;
  /** For tests. */
  readonly fault?: (() => DescriptorFault | undefined) | undefined;
  /** For tests. */
  readonly checkMs?: number | undefined;
}

/**
 * Says that connections cannot be accepted for want of file descriptors, which a server of
 * `node:net` keeps to itself on both runtimes, and makes it accept again: on Deno it never would,
 * because an accept() that fails leaves nobody waiting for the next connection. Ends with the server.
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
      log.info("accepts connections again", { at: name });
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
    // The connections that were accepted before accept() failed are announced first.
    setImmediate(() => {
      isQueued = false;
      if (seen === undefined && fault() !== undefined) check();
    });
  });
  server.once("close", () => clearInterval(timer));
}

/** Makes Deno look for connections; false: it cannot be made to. */
function resumeAccepting(server: Server): boolean {
  if (typeof Deno === "undefined") return true;
  // listen() on what listens does nothing but that.
  const { _handle } = server as { _handle?: { listen?: (backlog: number) => number } };
  return _handle?.listen?.(511) === 0;
}
