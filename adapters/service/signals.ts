/**
 * The signals that ask a process to end, or how it is.
 *
 * @module
 */
import process from "node:process";

const EXIT_CODES = { SIGINT: 130, SIGTERM: 143 } as const;

/**
 * Resolves with the first SIGINT or SIGTERM; from then on the process is left to its caller until a
 * second one ends it at once, with the exit code that a shell gives to a process ended by it.
 */
export function firstEndSignal(): Promise<void> {
  return new Promise((resolve) => {
    let asked = false;
    const take = (signal: keyof typeof EXIT_CODES) => () => {
      if (asked) process.exit(EXIT_CODES[signal]);
      asked = true;
      resolve();
    };
    process.on("SIGINT", take("SIGINT"));
    process.on("SIGTERM", take("SIGTERM"));
  });
}

/** Calls `report` at each SIGUSR2. One that fails is left out: whatever it asks has ended. */
export function onStatsSignal(report: () => Promise<void>): void {
  process.on("SIGUSR2", () => void report().catch(() => {}));
}
