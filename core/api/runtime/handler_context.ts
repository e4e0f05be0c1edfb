/**
 * The part of a handler's context that connections and flows share.
 *
 * @module
 */
import type { Clock, Logger } from "../environment.ts";
import type { BindingCounts } from "../metrics/binding_counts.ts";
import type { HandlerContext } from "../types.ts";
import type { HandlerSet } from "./handler_set.ts";

/** The part of the context that all handlers of a stack share. */
export interface StackEnvironment {
  readonly stack: HandlerContext["stack"];
  readonly clock: Clock;
  readonly log: Logger;
}

/** The part of the context that the handlers of one listen address share. */
export interface HandlerEnvironment extends StackEnvironment {
  /** Lines carry the plugin's name. */
  readonly log: Logger;
  /** The handlers that share it. */
  readonly handlerSet: HandlerSet;
  readonly counts: BindingCounts;
}

/** Called at the end of a connection or flow, with the reason if it failed. */
export type OnEnd = (reason?: unknown) => void;

/** Properties that few handlers use, created on first use. */
class LazyContext {
  signal: AbortSignal | undefined;
  values: Map<symbol | string, unknown> | undefined;
  log: Logger | undefined;
}

/** A context without its connection or flow. Kept small, since there may be very many. */
export abstract class SharedContext implements HandlerContext {
  #lazyContext: LazyContext | undefined;

  protected abstract readonly environment: HandlerEnvironment;

  /** Calls `callback` when the connection or flow has ended, at once if it has already. */
  protected abstract onEnd(callback: OnEnd): void;

  protected get lazy(): LazyContext {
    return this.#lazyContext ??= new LazyContext();
  }

  get stack(): HandlerContext["stack"] {
    return this.environment.stack;
  }

  get clock(): Clock {
    return this.environment.clock;
  }

  get log(): Logger {
    return this.environment.log;
  }

  get signal(): AbortSignal {
    return this.lazy.signal ??= untilEnd(
      this.environment.handlerSet.signal,
      (callback) => this.onEnd(callback),
    );
  }

  get<T>(key: symbol | string): T | undefined {
    return this.#lazyContext?.values?.get(key) as T | undefined;
  }

  set<T>(key: symbol | string, value: T): void {
    (this.lazy.values ??= new Map()).set(key, value);
  }
}

/**
 * A signal that is aborted with `outer`, or at the end, when it also removes its listener from
 * `outer`.
 */
function untilEnd(outer: AbortSignal, onEnd: (callback: OnEnd) => void): AbortSignal {
  const controller = new AbortController();
  const forward = () => controller.abort(outer.reason);
  outer.addEventListener("abort", forward);
  if (outer.aborted) forward();
  onEnd((reason) => {
    outer.removeEventListener("abort", forward);
    controller.abort(reason);
  });
  return controller.signal;
}
