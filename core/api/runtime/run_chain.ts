/**
 * The handlers of one connection, each around the following ones.
 *
 * @module
 */
import { finishSocket } from "../tcp/derived_socket.ts";
import type { Clock, Context, Handler, Logger, Next, TcpSocket } from "../types.ts";

/** What `next` is for the last handler: nothing is left to run. */
export const endOfChain: Next = (socket) =>
  socket === undefined ? Promise.resolve() : finishSocket(socket);

/** Makes one handler of several, one at least. A single one is itself: it costs nothing. */
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

/** What a handler throws before its first `await` rejects as well. */
export function promised(handler: Handler, c: Context, next: Next): Promise<void> {
  try {
    return Promise.resolve(handler(c, next));
  } catch (error) {
    return Promise.reject(error);
  }
}

/** The rest of the chain on another socket, which ends as the stack's own ends after a chain. */
async function runWith(socket: TcpSocket, rest: Handler, c: Context, last: Next): Promise<void> {
  try {
    await rest(new ReplacedSocketContext(c, socket), last);
  } catch (error) {
    socket.abort(error);
    throw error;
  }
  await finishSocket(socket);
}

/** All is the outer context's but the socket. */
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
