/**
 * Runs the handlers of one connection as a chain, in which each can call the next.
 *
 * @module
 */
import { finishSocket } from "../tcp/derived_socket.ts";
import type { Clock, Context, Handler, Logger, Next, TcpSocket } from "../types.ts";

/** The `next` of the last handler: there is nothing left to run. */
export const endOfChain: Next = (socket) =>
  socket === undefined ? Promise.resolve() : finishSocket(socket);

/** Composes handlers, at least one, into one. A single handler is returned unchanged. */
export function runInOrder(handlers: readonly Handler[]): Handler {
  return handlers.reduceRight((rest, handler) => around(handler, rest));
}

function around(handler: Handler, rest: Handler): Handler {
  return (c, last) => {
    let called = false;
    return handler(c, (socket) => {
      if (called) return Promise.reject(new Error("next() was called more than once"));
      called = true;
      if (socket === undefined || socket === c.socket) return promised(rest, c, last);
      return runWith(socket, rest, c, last);
    });
  };
}

/** Runs a handler; an exception before its first `await` becomes a rejection too. */
export function promised(handler: Handler, c: Context, next: Next): Promise<void> {
  try {
    const result: unknown = handler(c, next);
    if (isPlugin(result)) return Promise.reject(notCalled(handler));
    return Promise.resolve(result as void | Promise<void>);
  } catch (error) {
    return Promise.reject(error);
  }
}

/** Whether a handler has returned a plugin or handler: it is a factory that was not called. */
function isPlugin(result: unknown): boolean {
  if (typeof result === "function") return true;
  if (typeof result !== "object" || result === null) return false;
  return "handle" in result || "onSyn" in result || "flow" in result;
}

function notCalled({ name }: Handler): TypeError {
  const called = name === "" ? "it" : `it, as in ${name}()`;
  return new TypeError(
    `the handler${name && ` ${name}`} returned a plugin or a handler, so it makes plugins: call ` +
      `${called}, and pass the result to use()`,
  );
}

/**
 * Runs the rest of the chain on another socket, then closes it, or aborts it if the rest has
 * failed.
 */
async function runWith(socket: TcpSocket, rest: Handler, c: Context, last: Next): Promise<void> {
  try {
    await promised(rest, new ReplacedSocketContext(c, socket), last);
  } catch (error) {
    socket.abort(error);
    throw error;
  }
  await finishSocket(socket);
}

/** The outer context with another socket. */
class ReplacedSocketContext implements Context {
  readonly socket: TcpSocket;
  readonly #outer: Context;

  constructor(outer: Context, socket: TcpSocket) {
    this.#outer = outer;
    this.socket = socket;
  }

  get stack(): Context["stack"] {
    return this.#outer.stack;
  }

  get log(): Logger {
    return this.#outer.log;
  }

  get clock(): Clock {
    return this.#outer.clock;
  }

  get signal(): AbortSignal {
    return this.#outer.signal;
  }

  get<T>(key: symbol | string): T | undefined {
    return this.#outer.get<T>(key);
  }

  set<T>(key: symbol | string, value: T): void {
    this.#outer.set(key, value);
  }
}
