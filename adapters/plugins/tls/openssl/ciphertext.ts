/**
 * Reads ciphertext from the socket under a session.
 *
 * @module
 */
import type { ReadableListener } from "../../../../core/api/tcp/connection_listener.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import type { NonBlockingReader } from "../../../../plugins/shared/relay.ts";

/**
 * A reader of `socket`. A stack's own socket is read without promises; other sockets, such as derived ones, are read
 * through `views()`.
 */
export function ciphertextOf(socket: TcpSocket): NonBlockingReader {
  return "tryView" in socket ? socket as TcpSocket & NonBlockingReader : new ViewsReader(socket);
}

/** Resolves with the next view, which the caller has to consume, or with `null` at the end. */
export function nextView(source: NonBlockingReader): Promise<Uint8Array | null> {
  return new Promise((resolve, reject) => {
    const listener: ReadableListener = {
      onReadable(): void {
        try {
          let view = source.tryView();
          while (view === undefined && !source.whenReadable(listener)) view = source.tryView();
          if (view !== undefined) resolve(view);
        } catch (error) {
          reject(error);
        }
      },
    };
    listener.onReadable();
  });
}

/**
 * `views()` as a {@link NonBlockingReader}. It borrows a view only while a listener waits, or while the view is read.
 */
class ViewsReader implements NonBlockingReader {
  readonly #socket: TcpSocket;
  /** The iterator that `#view` is borrowed from; `undefined` while nothing is borrowed or awaited. */
  #views: AsyncIterator<Uint8Array> | undefined;
  #view: Uint8Array | undefined;
  #hasEnded = false;
  #failure: { error: unknown } | undefined;
  #listener: ReadableListener | undefined;

  constructor(socket: TcpSocket) {
    this.#socket = socket;
  }

  tryView(): Uint8Array | null | undefined {
    if (this.#failure !== undefined) throw this.#failure.error;
    return this.#hasEnded ? null : this.#view;
  }

  consume(count: number): void {
    const view = this.#view!;
    if (count < view.length) this.#view = view.subarray(count);
    else this.#giveBack();
  }

  whenReadable(listener: ReadableListener): boolean {
    if (this.#view !== undefined || this.#hasEnded || this.#failure !== undefined) return false;
    this.#listener = listener;
    if (this.#views === undefined) void this.#borrow();
    return true;
  }

  async #borrow(): Promise<void> {
    try {
      this.#views = this.#socket.views();
      const { value } = await this.#views.next();
      this.#view = value;
      this.#hasEnded = value === undefined;
    } catch (error) {
      this.#failure = { error };
    }
    this.#listener?.onReadable();
  }

  /** Returns the view, which reopens the window and lets a FIN be processed even if no one reads on. */
  #giveBack(): void {
    this.#view = undefined;
    void this.#views?.return?.();
    this.#views = undefined;
  }
}
