/**
 * A listener of the core as a {@link TcpListener}.
 *
 * @module
 */
import { TcpError } from "../errors.ts";
import type { Acceptor } from "../runtime/acceptor.ts";
import { iterateUntilClosed } from "../runtime/iterate_until_closed.ts";
import type { NetAddr, TcpListener, TcpSocket } from "../types.ts";

interface Waiter {
  resolve(socket: TcpSocket): void;
  reject(error: TcpError): void;
}

/** Returns connections in the order in which they were established. */
export class StackListener implements TcpListener {
  readonly addr: NetAddr;
  readonly #waiters: Waiter[] = [];
  readonly #onClose: () => void;
  #acceptor: Acceptor | undefined;
  #closed = false;

  constructor(addr: NetAddr, onClose: () => void) {
    this.addr = addr;
    this.#onClose = onClose;
  }

  /** Sets the acceptor that connections are taken from; called once. */
  attach(acceptor: Acceptor): void {
    this.#acceptor = acceptor;
  }

  accept(): Promise<TcpSocket> {
    if (this.#closed) return Promise.reject(this.#closedError());
    const next = this.#waiters.length === 0 ? this.#acceptor?.take() : undefined;
    if (next !== undefined) return Promise.resolve(next.socket);
    return new Promise((resolve, reject) => this.#waiters.push({ resolve, reject }));
  }

  /** Serves pending `accept()` calls; the other connections stay in the accept queue. */
  ready(): false {
    while (this.#waiters.length > 0) {
      const next = this.#acceptor?.take();
      if (next === undefined) break;
      this.#waiters.shift()!.resolve(next.socket);
    }
    return false;
  }

  /**
   * Leaving the loop early closes the listener, as with `Deno.Listener`: connections would no
   * longer be accepted.
   */
  [Symbol.asyncIterator](): AsyncIterableIterator<TcpSocket> {
    return iterateUntilClosed(() => this.accept(), () => this.close());
  }

  close(): void {
    if (this.#closed) return;
    this.#closed = true;
    this.#acceptor?.close();
    this.#onClose();
    for (const waiter of this.#waiters.splice(0)) waiter.reject(this.#closedError());
  }

  #closedError(): TcpError {
    return new TcpError("LISTENER_CLOSED", "The listener has been closed", { local: this.addr });
  }

  ref(): void {}

  unref(): void {}

  [Symbol.dispose](): void {
    this.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    this.close();
    return Promise.resolve();
  }
}
