/**
 * The signals that ask a process to end, or how it is.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import inspector from "node:inspector";
import process from "node:process";
import type { Logger } from "../../../core/api/environment.ts";
import { mayRead } from "./permissions.ts";

const STATUS = "/proc/self/status";

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 } as const;

/** The process was started to outlive its terminal. */
let hasNoTerminal = false;

/** A signal that asks for the end. */
export type EndSignal = keyof typeof EXIT_CODES;

/**
 * Resolves with the first signal that asks for the end, SIGHUP among them: a terminal that closes
 * ends what runs in it, and there is nothing that could be read anew. From then on the process is left to its caller until a
 * second one ends it at once, with the exit code that a shell gives to a process ended by it.
 */
export function waitForShutdownSignal(): Promise<EndSignal> {
  return new Promise((resolve) => {
    const signals = new EndSignals();
    for (const signal of Object.keys(EXIT_CODES) as EndSignal[]) {
      process.on(signal, () => {
        // A handler all the same: Deno ends at a signal that it has none for once it has one for another.
        if (signal === "SIGHUP" && hasNoTerminal) return;
        const meaning = signals.take(signal, performance.now());
        if (meaning === "stop") resolve(signal);
        else if (meaning === "end at once") process.exit(EXIT_CODES[signal]);
      });
    }
  });
}

/**
 * A terminal sends Ctrl+C to whatever runs in it, and `bun run` and npm pass theirs on to the
 * program: within this time, in milliseconds, the same signal is the same Ctrl+C.
 */
const REPEATED_MS = 500;

/** Tells what a signal means after those before it. */
export class EndSignals {
  #first: { readonly signal: EndSignal; readonly at: number } | undefined;

  /** What `signal` means that has come at `now`, in milliseconds. */
  take(signal: EndSignal, now: number): "stop" | "the same" | "end at once" {
    if (this.#first === undefined) {
      this.#first = { signal, at: now };
      return "stop";
    }
    const isSame = signal === this.#first.signal && now - this.#first.at < REPEATED_MS;
    return isSame ? "the same" : "end at once";
  }
}

/** Whoever starts a program with nohup(1) wants it to outlive the terminal. */
function isIgnored(signal: number): boolean {
  try {
    return mayRead(STATUS) && ignores(readFileSync(STATUS, "utf8"), signal);
  } catch {
    return false;
  }
}

/** Whether the text of `/proc/PID/status` has a signal's bit in `SigIgn` (proc(5)). */
export function ignores(status: string, signal: number): boolean {
  const [, mask] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return mask !== undefined && (BigInt(`0x${mask}`) >> BigInt(signal - 1) & 1n) === 1n;
}

/**
 * Handles the signals whose default is to end the process, or worse. Call it before anything else.
 * Bun ends at SIGUSR1 and SIGUSR2; Deno ends at SIGUSR2 and opens a debugger's port at SIGUSR1.
 * SIGPIPE says nothing that the failed write does not say.
 */
export function takeStraySignals(): void {
  // Once Deno has a handler for one signal, none is ignored any more.
  hasNoTerminal = isIgnored(1);
  for (const signal of ["SIGUSR1", "SIGUSR2", "SIGPIPE"] as const) process.on(signal, () => {});
  if (hasNoTerminal) process.on("SIGHUP", () => {});
}

/** Logs that SIGUSR1 does nothing, and closes the debugger's port that Deno opens at it. */
export function logStraySignals(log: Logger): void {
  // Whoever started Deno with --inspect wants the debugger.
  const opensDebugger = process.versions["deno"] !== undefined && inspector.url() === undefined;
  process.on("SIGUSR1", () => {
    log.info("SIGUSR1 does nothing; SIGUSR2 writes the counters");
    if (opensDebugger) closeDebugger(performance.now() + DEBUGGER_OPENS_WITHIN_MS);
  });
}

/** Deno opens the port some milliseconds after the handlers have run. */
const DEBUGGER_OPENS_WITHIN_MS = 2000;

/** Local users could run code through the port. */
function closeDebugger(until: number): void {
  if (inspector.url() !== undefined) return inspector.close();
  if (performance.now() < until) setTimeout(() => closeDebugger(until), 5).unref();
}

/** Calls `report` at each SIGUSR2. One that fails is left out: whatever it asks has ended. */
export function onStatsSignal(report: () => Promise<void>): void {
  process.on("SIGUSR2", () => void report().catch(() => {}));
}
