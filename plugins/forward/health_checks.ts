/**
 * Health checks: connects to the targets at an interval.
 *
 * @module
 */
import { type Clock, type Logger, sleepUntil } from "../../core/api/environment.ts";
import { dialWithTimeout } from "../shared/dial.ts";
import type { Dial } from "../shared/host_network.ts";
import type { Target } from "./target.ts";

/** Interval and timeout of the checks, in milliseconds. */
export interface CheckIntervals {
  readonly intervalMs: number;
  readonly timeoutMs: number;
}

/** The part of a handler's context that the checks use. */
export interface CheckEnvironment {
  readonly clock: Clock;
  readonly log: Logger;
}

/** The checks of all targets of one plugin. */
export class HealthChecks {
  readonly #targets: readonly Target[];
  readonly #intervals: CheckIntervals;
  readonly #header: Uint8Array<ArrayBuffer> | undefined;
  readonly #stopped = new AbortController();
  #started = false;

  /** `header` is sent to a target before the connection is closed. */
  constructor(
    targets: readonly Target[],
    intervals: CheckIntervals,
    header?: Uint8Array<ArrayBuffer>,
  ) {
    this.#targets = targets;
    this.#intervals = intervals;
    this.#header = header;
  }

  /** Starts the checks, which connect with `dial`, if they have not been started. */
  start(environment: CheckEnvironment, dial: Dial): void {
    if (this.#started) return;
    this.#started = true;
    for (const target of this.#targets) void this.#watch(target, environment, dial);
  }

  /** Stops the checks for good. */
  stop(): void {
    this.#started = true;
    this.#stopped.abort();
  }

  async #watch(target: Target, environment: CheckEnvironment, dial: Dial): Promise<void> {
    const { clock } = environment;
    const { signal } = this.#stopped;
    while (!signal.aborted) {
      await sleepUntil(clock, clock.now() + this.#intervals.intervalMs, signal);
      if (!signal.aborted) await this.#check(target, environment, dial);
    }
  }

  async #check(target: Target, { clock, log }: CheckEnvironment, dial: Dial): Promise<void> {
    const { signal } = this.#stopped;
    const { timeoutMs } = this.#intervals;
    const began = clock.now();
    try {
      const connection = await dialWithTimeout(dial, target.address, {
        clock,
        timeoutMs,
        signal,
      });
      connection.closed.catch(() => {});
      if (this.#header !== undefined) connection.write(this.#header).catch(() => {});
      connection.close();
      target.succeeded(log, clock.now() - began);
    } catch (error) {
      if (!signal.aborted) target.failed(clock.now(), error, log);
    }
  }
}
