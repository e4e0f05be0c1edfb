/**
 * Time limits for asynchronous work, on the stack's clock.
 *
 * @module
 */
import type { Clock } from "../../core/api/environment.ts";
import type { CancelSignal } from "../../core/api/runtime/cancellation.ts";

/**
 * Runs `task`, and calls `expire` if it has not settled after `ms` milliseconds. `expire` has to make
 * the task fail, for example by aborting the connection that it waits for.
 */
export async function withTimeout<T>(
  clock: Clock,
  ms: number,
  expire: () => void,
  task: () => Promise<T>,
): Promise<T> {
  const cancel = clock.schedule(clock.now() + ms, expire);
  try {
    return await task();
  } finally {
    cancel();
  }
}

/** Limits of {@link withDeadline}. */
export interface Deadline {
  /** The stack's clock. */
  readonly clock: Clock;
  /** In milliseconds. */
  readonly timeoutMs: number;
  /** Cancels the work early. */
  readonly signal: CancelSignal;
}

/**
 * Runs `task` with a signal that is aborted after `timeoutMs`, or with `signal`.
 *
 * @throws What `task` throws; after `timeoutMs`, what `timeoutError` returns.
 */
export async function withDeadline<T>(
  { clock, timeoutMs, signal }: Deadline,
  timeoutError: () => Error,
  task: (signal: AbortSignal) => Promise<T>,
): Promise<T> {
  const controller = new AbortController();
  let expired: Error | undefined;
  const expire = () => controller.abort(expired = timeoutError());
  // AbortSignal.any() would stay registered with a long-lived signal after the task.
  const onAbort = () => controller.abort(signal.reason);
  signal.addEventListener("abort", onAbort);
  if (signal.aborted) onAbort();
  try {
    return await withTimeout(clock, timeoutMs, expire, () => task(controller.signal));
  } catch (error) {
    throw expired ?? error;
  } finally {
    signal.removeEventListener("abort", onAbort);
  }
}
