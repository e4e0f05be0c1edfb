/**
 * What the stack is given by its environment: a clock, a random source and a logger.
 *
 * @module
 */

/** Time, real or virtual. */
export interface Clock {
  /** Milliseconds, monotonic, with a fraction. */
  now(): number;
  /** Calls `wake` once, at `at` or as soon after as possible. Returns the function that cancels it. */
  schedule(at: number, wake: () => void): () => void;
}

/** Randomness, secure or seeded. */
export interface Random {
  /** Fills `bytes` with random bytes. */
  fill(bytes: Uint8Array<ArrayBuffer>): void;
}

/** Receives log lines. */
export interface Logger {
  /** For debugging. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** For normal operation. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Something is wrong, but the service continues. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Something failed. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Whether lines of a level are written at present; if not, a caller can skip composing them. Absent: all are. */
  isEnabled?(level: "debug" | "info" | "warn" | "error"): boolean;
}

/** Longest delay of `setTimeout`, in milliseconds: a longer one fires at once. */
const MAX_TIMER_MS = 2 ** 31 - 1;

/**
 * The runtime's own clock.
 *
 * @example
 * ```ts
 * import { systemClock } from "@berth/berth";
 *
 * const cancel = systemClock.schedule(systemClock.now() + 60_000, () => console.log("a minute"));
 * cancel();
 * ```
 */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(at, wake) {
    const ms = Math.max(0, at - performance.now());
    if (ms > MAX_TIMER_MS) return scheduleInParts(at, wake);
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
};

function scheduleInParts(at: number, wake: () => void): () => void {
  let cancel = () => {};
  const timer = setTimeout(() => cancel = systemClock.schedule(at, wake), MAX_TIMER_MS);
  return () => {
    clearTimeout(timer);
    cancel();
  };
}

/**
 * The runtime's cryptographic random source.
 *
 * @example
 * ```ts
 * import { systemRandom } from "@berth/berth";
 *
 * const token = new Uint8Array(16);
 * systemRandom.fill(token);
 * console.log(token.toHex());
 * ```
 */
export const systemRandom: Random = {
  fill(bytes) {
    crypto.getRandomValues(bytes);
  },
};

/**
 * Discards every line.
 *
 * @example
 * ```ts
 * import { type Logger, silentLogger } from "@berth/berth";
 *
 * const errorsOnly: Logger = { ...silentLogger, error: (message) => console.error(message) };
 * errorsOnly.info("not written");
 * ```
 */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};

/** A logger that adds `fields` to every line. */
export function withFields(log: Logger, fields: Readonly<Record<string, unknown>>): Logger {
  return {
    debug: (message, more) => log.debug(message, { ...fields, ...more }),
    info: (message, more) => log.info(message, { ...fields, ...more }),
    warn: (message, more) => log.warn(message, { ...fields, ...more }),
    error: (message, more) => log.error(message, { ...fields, ...more }),
    isEnabled: (level) => log.isEnabled?.(level) ?? true,
  };
}

/**
 * Waits until `at`; resolves early, without an error, if `signal` is aborted.
 *
 * @example
 * ```ts
 * import { sleepUntil, systemClock } from "@berth/berth";
 *
 * await sleepUntil(systemClock, systemClock.now() + 10);
 * ```
 */
export function sleepUntil(clock: Clock, at: number, signal?: AbortSignal): Promise<void> {
  return new Promise((resolve) => {
    if (signal?.aborted) return resolve();
    const finish = () => {
      cancel();
      signal?.removeEventListener("abort", finish);
      resolve();
    };
    const cancel = clock.schedule(at, finish);
    signal?.addEventListener("abort", finish);
  });
}
