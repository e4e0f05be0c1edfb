/**
 * Signals: those that stop the service, SIGUSR1, which opens the log file again, and SIGUSR2, which logs
 * the counters.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import inspector from "node:inspector";
import process from "node:process";
import { isatty } from "node:tty";
import type { Logger } from "../../../core/api/environment.ts";
import { mayRead } from "./permissions.ts";

const STATUS = "/proc/self/status";

const EXIT_CODES = { SIGHUP: 129, SIGINT: 130, SIGQUIT: 131, SIGTERM: 143 } as const;

/** Whether SIGHUP was ignored when the process started, as under nohup(1). */
let hasNoTerminal = false;
/** The descriptors that were a terminal when the process started. */
let terminals: readonly number[] = [];

/** A signal that stops the service. */
export type EndSignal = keyof typeof EXIT_CODES;

/**
 * Resolves with the first signal that stops the service. SIGHUP does so if the terminal has closed;
 * otherwise it requests a reload. A second signal ends the process at once, with the exit code that
 * a shell reports for a process killed by that signal.
 */
export function waitForShutdownSignal(reload: () => void): Promise<EndSignal> {
  return new Promise((resolve) => {
    const signals = new EndSignals();
    for (const signal of Object.keys(EXIT_CODES) as EndSignal[]) {
      process.on(signal, () => {
        // Without a handler Deno ends here, because it has handlers for other signals.
        if (signal === "SIGHUP" && hasNoTerminal) return;
        if (signal === "SIGHUP" && !hasLostTerminal()) return reload();
        const meaning = signals.take(signal, performance.now());
        if (meaning === "stop") resolve(signal);
        else if (meaning === "end at once") process.exit(EXIT_CODES[signal]);
      });
    }
  });
}

/**
 * A terminal sends Ctrl+C to all of its processes, and `bun run` and npm forward theirs to the
 * program. Within this time, in milliseconds, the same signal counts as the same Ctrl+C.
 */
const REPEATED_MS = 500;

/** Decides what a signal means, given the signals before it. */
export class EndSignals {
  #first: { readonly signal: EndSignal; readonly at: number } | undefined;

  /** The meaning of a `signal` that arrives at `now`, in milliseconds. */
  take(signal: EndSignal, now: number): "stop" | "the same" | "end at once" {
    if (this.#first === undefined) {
      this.#first = { signal, at: now };
      return "stop";
    }
    const isSame = signal === this.#first.signal && now - this.#first.at < REPEATED_MS;
    return isSame ? "the same" : "end at once";
  }
}

/** Whether a terminal has hung up: its descriptor is then no longer a terminal. */
function hasLostTerminal(): boolean {
  return terminals.length > 0 && !terminals.some(isatty);
}

/** Whether the process was started with a signal ignored, as nohup(1) does with SIGHUP. */
function isIgnored(signal: number): boolean {
  try {
    return mayRead(STATUS) && ignores(readFileSync(STATUS, "utf8"), signal);
  } catch {
    return false;
  }
}

/** Whether `/proc/PID/status` has the bit of a signal set in `SigIgn` (proc(5)). */
export function ignores(status: string, signal: number): boolean {
  const [, mask] = /^SigIgn:\s*([0-9a-f]+)$/m.exec(status) ?? [];
  return mask !== undefined && (BigInt(`0x${mask}`) >> BigInt(signal - 1) & 1n) === 1n;
}

/**
 * Installs handlers for signals that would otherwise end the process or open a debugger's port. Call it first. Bun
 * ends at SIGUSR1 and SIGUSR2; Deno ends at SIGUSR2 and opens a debugger's port at SIGUSR1. SIGPIPE is redundant: the
 * failed write reports the error.
 */
export function handleStraySignals(): void {
  // Once Deno has a handler for one signal, it stops ignoring the others.
  hasNoTerminal = isIgnored(1);
  terminals = [0, 1, 2].filter(isatty);
  for (const signal of ["SIGUSR1", "SIGUSR2", "SIGPIPE"] as const) process.on(signal, () => {});
  if (hasNoTerminal) process.on("SIGHUP", () => {});
}

/**
 * Calls `reopen`, which returns whether there is a log file, on each SIGUSR1; closes the debugger port that
 * Deno opens on this signal.
 */
export function onReopenSignal(log: Logger, reopen: () => boolean): void {
  // With --inspect the user wants the debugger.
  const opensDebugger = process.versions["deno"] !== undefined && mayAskInspector() &&
    inspector.url() === undefined;
  process.on("SIGUSR1", () => {
    if (!reopen()) {
      log.info("SIGUSR1 reopens the log file, but there is none; SIGUSR2 logs the counters");
    }
    if (opensDebugger) closeDebugger(performance.now() + DEBUGGER_OPENS_WITHIN_MS);
  });
}

/** Whether Deno permits this process to find out whether there is a debugger, which needs `--allow-sys`. */
function mayAskInspector(): boolean {
  try {
    inspector.url();
    return true;
  } catch {
    return false;
  }
}

/**
 * Maximum time in milliseconds until Deno has opened the port; it does so a few milliseconds after the handlers have
 * run.
 */
const DEBUGGER_OPENS_WITHIN_MS = 2000;

/** Closes the debugger's port, through which local users could run code. */
function closeDebugger(until: number): void {
  if (inspector.url() !== undefined) return inspector.close();
  if (performance.now() < until) setTimeout(() => closeDebugger(until), 5).unref();
}

/** Calls `report` on each SIGUSR2. A failed report is ignored: the service is ending. */
export function onStatsSignal(report: () => Promise<void>): void {
  process.on("SIGUSR2", () => void report().catch(() => {}));
}
