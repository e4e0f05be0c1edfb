/**
 * What the handlers of a connection and those of a flow have in common.
 *
 * @module
 */
import type { Clock, Logger } from "../environment.ts";
import type { HandlerContext } from "../types.ts";

/** What the handlers of a place share. */
export interface HandlerEnvironment {
  readonly stack: HandlerContext["stack"];
  readonly clock: Clock;
  /** Lines carry the plugin's name. */
  readonly log: Logger;
  /** Aborted when the stack closes. */
  readonly signal: AbortSignal;
}

/** Told why something has ended, where it did not end well. */
export type OnEnd = (reason?: unknown) => void;

/** What few handlers ask for, each made then. */
class LazyContext {
  signal: AbortSignal | undefined;
  values: Map<symbol | string, unknown> | undefined;
  log: Logger | undefined;
}

/** A context but for what it is about. There may be very many. */
export abstract class SharedContext implements HandlerContext {
  protected readonly environment: HandlerEnvironment;
  #asked: LazyContext | undefined;

  constructor(environment: HandlerEnvironment) {
    this.environment = environment;
  }

  /** Calls back when the connection or flow has ended, at once if it has already. */
  protected abstract onEnd(callback: OnEnd): void;

  protected get asked(): LazyContext {
    return this.#asked ??= new LazyContext();
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
    return this.asked.signal ??= untilEnd(
      this.environment.signal,
      (callback) => this.onEnd(callback),
    );
  }

  get<T>(key: symbol | string): T | undefined {
    return this.#asked?.values?.get(key) as T | undefined;
  }

  set<T>(key: symbol | string, value: T): void {
    (this.asked.values ??= new Map()).set(key, value);
  }
}

/** Aborted with `outer` or at the end, which leaves nothing behind in `outer`. */
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
