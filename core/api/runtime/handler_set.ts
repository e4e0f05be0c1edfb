/**
 * The handlers of a binding that were set by one call of `use()` or `replace()`.
 *
 * @module
 */
import type { Chain } from "../plugin.ts";
import type { Handler, Plugin } from "../types.ts";
import type { FlowHandler } from "../udp/datagram.ts";
import { Deferred } from "./deferred.ts";

/** The composed handlers of a handler set. */
export interface ComposedHandlers {
  /** For connections; absent if no listen address of the binding is for TCP. */
  readonly chain: Chain | undefined;
  /** For flows; absent if no listen address of the binding is for UDP. */
  readonly flows: FlowHandler | undefined;
  /** The handlers as they were given. */
  readonly given: readonly (Handler | Plugin)[];
}

/** Counts the connections and flows that its handlers serve: plugins are disposed only after the last one has ended. */
export class HandlerSet {
  readonly handlers: ComposedHandlers;
  /** The names of the plugins, for log lines. */
  readonly name: string;
  readonly #controller = new AbortController();
  readonly #finished = new Deferred<void>();
  #running = 0;
  #isRetired = false;

  constructor(handlers: ComposedHandlers) {
    this.handlers = handlers;
    this.name = handlers.given.map(({ name }) => name).filter((name) => name !== "").join(", ") ||
      "handler";
  }

  /** The plugins among the handlers. */
  get plugins(): readonly Plugin[] {
    return this.handlers.given.filter((each) => typeof each !== "function");
  }

  /** Aborted when the handlers are asked to finish. */
  get signal(): AbortSignal {
    return this.#controller.signal;
  }

  /** Number of handlers and decisions that have not finished. */
  get running(): number {
    return this.#running;
  }

  /** Resolves when the handler set is retired and nothing runs. */
  get finished(): Promise<void> {
    return this.#finished.promise;
  }

  /** A handler or a decision starts; {@link leave} has to follow. */
  enter(): void {
    this.#running++;
  }

  leave(): void {
    this.#running--;
    this.#finishIfOver();
  }

  /** New connections and flows get other handlers or none. */
  retire(): void {
    this.#isRetired = true;
    this.#finishIfOver();
  }

  /** Asks the handlers to finish. */
  abort(reason: unknown): void {
    this.#controller.abort(reason);
  }

  /** Resolves {@link finished} although handlers may be running. */
  abandon(): void {
    this.#finished.resolve();
  }

  #finishIfOver(): void {
    if (this.#isRetired && this.#running === 0) this.#finished.resolve();
  }
}
