/**
 * The signals that ask a process to end, or how it is.
 *
 * @module
 */
import process from "node:process";

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/** A signal that asks for the end. */
export type EndSignal = keyof typeof EXIT_CODES;

/**
 * Resolves with the first SIGINT or SIGTERM; from then on the process is left to its caller until a
 * second one ends it at once, with the exit code that a shell gives to a process ended by it.
 */
export function firstEndSignal(): Promise<void> {
  return new Promise((resolve) => {
    const signals = new EndSignals();
    for (const signal of ["SIGINT", "SIGTERM"] as const) {
      process.on(signal, () => {
        const meaning = signals.take(signal, performance.now());
        if (meaning === "stop") resolve();
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

/** Calls `report` at each SIGUSR2. One that fails is left out: whatever it asks has ended. */
export function onStatsSignal(report: () => Promise<void>): void {
  process.on("SIGUSR2", () => void report().catch(() => {}));
}
