/**
 * Targets of connections through the host, as options name them, and dialling with a timeout.
 *
 * @module
 */
import type { z } from "zod";
import { TcpError } from "../../core/api/errors.ts";
import { formatHostPort, parseHostPort } from "../../core/api/host_port.ts";
import { milliseconds } from "../../core/api/numbers.ts";
import type { Clock } from "../../core/api/environment.ts";
import type { Cancellation } from "../../core/api/runtime/cancellation.ts";
import type { PendingWork, WorkDeadlines } from "./work_deadlines.ts";
import type { Dial, DialOptions, DialTarget } from "./host_network.ts";
import type { Duplex } from "./relay.ts";
import { type Deadline, withDeadline } from "./with_timeout.ts";

/** Two hours, the smallest default that RFC 9293 3.8.4 allows. */
export const DEFAULT_KEEP_ALIVE_MS = 7_200_000;
/** Linux's largest TCP_KEEPIDLE: 32,767 seconds; the smallest is 1 second. */
export const MAX_KEEP_ALIVE_MS = 32_767_000;

/** The nearest value that Linux accepts. */
export function possibleKeepAlive(ms: number): number {
  return ms === 0 ? 0 : Math.min(Math.max(ms, 1000), MAX_KEEP_ALIVE_MS);
}

/** Schema of {@link DialOptions.keepAliveMs}. */
export const keepAliveSchema: z.ZodDefault<z.ZodNumber> = milliseconds(0, MAX_KEEP_ALIVE_MS)
  .refine((ms) => ms === 0 || ms >= 1000, {
    error: ({ input }) => `expected 0 (no probes) or at least 1000 milliseconds, got ${input}`,
  })
  .default(DEFAULT_KEEP_ALIVE_MS);

/** Reads `"10.0.0.9:80"`, `"[fd00::9]:80"`, `"name:80"` or `"unix:/run/app.sock"`. */
export function parseDialTarget(text: string): DialTarget | undefined {
  if (text.startsWith("unix:")) {
    const path = text.slice("unix:".length);
    return path === "" || path.includes("\0") ? undefined : { path };
  }
  const address = parseHostPort(text);
  return address && address.port > 0 ? address : undefined;
}

/** The text that {@link parseDialTarget} reads. */
export function formatDialTarget(target: DialTarget): string {
  return "path" in target ? `unix:${target.path}` : formatHostPort(target);
}

/**
 * Dials with a timeout.
 *
 * @throws {TcpError} What the dial throws; `TIMED_OUT` after `timeoutMs`.
 */
export async function dialWithTimeout<C extends Duplex>(
  dial: (...parameters: Parameters<Dial>) => Promise<C>,
  target: DialTarget,
  { keepAliveMs, ...deadline }: Deadline & DialOptions,
): Promise<C> {
  return await withDeadline(
    deadline,
    () => timedOut(target, deadline.timeoutMs),
    (signal) => dial(target, signal, { keepAliveMs }),
  );
}

/** What {@link dialAttempt} needs. */
export interface AttemptOptions extends DialOptions {
  readonly clock: Clock;
  /** The time limit that `deadlines` was made with, in milliseconds. */
  readonly timeoutMs: number;
  readonly deadlines: WorkDeadlines;
}

/**
 * {@link dialWithTimeout} for very many connections: `attempt` is cancelled if the target does not answer
 * in time.
 *
 * @throws {TcpError} What the dial throws; `TIMED_OUT` after `timeoutMs`.
 */
export async function dialAttempt<C extends Duplex>(
  dial: (...parameters: Parameters<Dial>) => Promise<C>,
  target: DialTarget,
  attempt: Cancellation,
  { clock, timeoutMs, deadlines, keepAliveMs }: AttemptOptions,
): Promise<C> {
  const work = new DialWork(target, attempt, timeoutMs);
  const queue = deadlines.begin(clock, work);
  try {
    return await dial(target, attempt, { keepAliveMs });
  } catch (error) {
    throw work.expired ?? error;
  } finally {
    queue.end(work);
  }
}

/** A dial that has not ended. */
class DialWork implements PendingWork {
  expired: Error | undefined = undefined;
  readonly #target: DialTarget;
  readonly #attempt: Cancellation;
  readonly #timeoutMs: number;

  constructor(target: DialTarget, attempt: Cancellation, timeoutMs: number) {
    this.#target = target;
    this.#attempt = attempt;
    this.#timeoutMs = timeoutMs;
  }

  expire(): void {
    this.expired = timedOut(this.#target, this.#timeoutMs);
    this.#attempt.abort(this.expired);
  }
}

function timedOut(target: DialTarget, timeoutMs: number): TcpError {
  const name = formatDialTarget(target);
  return new TcpError("TIMED_OUT", `${name} did not answer within ${timeoutMs} ms`);
}
