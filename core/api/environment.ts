/**
 * What the stack takes from outside: time, randomness, a place for log lines.
 *
 * @module
 */

/** Time, real or virtual. */
export interface Clock {
  /** Milliseconds, monotonic, with a fraction. */
  now(): number;
  /** Calls `wake` once, at `at` or as soon after it as possible. Returns a function that cancels. */
  schedule(at: number, wake: () => void): () => void;
}

/** Randomness, secure or seeded. */
export interface Random {
  /** Fills `bytes` with random bytes. */
  fill(bytes: Uint8Array<ArrayBuffer>): void;
}

/** Where log lines go. */
export interface Logger {
  /** For people who look for a fault. */
  debug(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** For people who operate the service. */
  info(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Something is not as it should be and the service goes on. */
  warn(message: string, fields?: Readonly<Record<string, unknown>>): void;
  /** Something failed. */
  error(message: string, fields?: Readonly<Record<string, unknown>>): void;
}

/** The longest that a timer of the runtime waits, in milliseconds: one that is longer rings at once. */
const LONGEST_TIMER = 2 ** 31 - 1;

/** The runtime's own clock. */
export const systemClock: Clock = {
  now: () => performance.now(),
  schedule(at, wake) {
    const ms = Math.max(0, at - performance.now());
    if (ms > LONGEST_TIMER) return scheduleInParts(at, wake);
    const timer = setTimeout(wake, ms);
    return () => clearTimeout(timer);
  },
};

function scheduleInParts(at: number, wake: () => void): () => void {
  let cancel = () => {};
  const timer = setTimeout(() => cancel = systemClock.schedule(at, wake), LONGEST_TIMER);
  return () => {
    clearTimeout(timer);
    cancel();
  };
}

/** The runtime's cryptographic random source. */
export const systemRandom: Random = {
  fill(bytes) {
    crypto.getRandomValues(bytes);
  },
};

/** Throws every line away. */
export const silentLogger: Logger = {
  debug() {},
  info() {},
  warn() {},
  error() {},
};

/** A logger whose every line carries `fields`. */
export function withFields(log: Logger, fields: Readonly<Record<string, unknown>>): Logger {
  return {
    debug: (message, more) => log.debug(message, { ...fields, ...more }),
    info: (message, more) => log.info(message, { ...fields, ...more }),
    warn: (message, more) => log.warn(message, { ...fields, ...more }),
    error: (message, more) => log.error(message, { ...fields, ...more }),
  };
}

/** Waits until `at`; resolves early, without an error, when `signal` is aborted. */
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
