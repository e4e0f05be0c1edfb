/**
 * The interface of a connection through the host's kernel, and its common base class.
 *
 * @module
 */
import { isBytes, notBytes } from "../../core/api/tcp/bytes.ts";
import { readableOf, type StreamedSocket, writableOf } from "../../core/api/tcp/socket_streams.ts";
import type { Duplex } from "../../plugins/shared/relay.ts";

/** Bytes that iteration reads at a time. */
const CHUNK_BYTES = 16 * 1024;

/**
 * A TCP or Unix connection of the host, with the methods of a `TcpSocket` for bytes: it can be read,
 * written and passed to `relay`.
 */
export interface HostSocket
  extends Duplex, AsyncIterable<Uint8Array<ArrayBuffer>>, Disposable, AsyncDisposable {
  /** As `TcpSocket.readable`: reads only on request; cancelling it closes the connection. */
  readonly readable: ReadableStream<Uint8Array<ArrayBuffer>>;
  /** As `TcpSocket.writable`: closing it sends a FIN, aborting it resets the connection. */
  readonly writable: WritableStream<Uint8Array<ArrayBufferLike>>;
  /** The next chunks, until the peer's FIN. Leaving the loop early does not close the connection. */
  [Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>>;
}

/** The base class of all implementations: streams, iteration and disposal. */
export abstract class HostSocketBase implements StreamedSocket {
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array<ArrayBufferLike>> | undefined;

  abstract readonly closed: Promise<unknown>;
  abstract read(p: Uint8Array<ArrayBufferLike>): Promise<number | null>;
  abstract write(p: Uint8Array<ArrayBufferLike>): Promise<number>;
  abstract closeWrite(): Promise<void>;
  abstract close(): void;
  abstract abort(reason?: unknown): void;

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf(this);
  }

  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#writable ??= writableOf(this);
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>> {
    return {
      next: async () => {
        const chunk = new Uint8Array(CHUNK_BYTES);
        const count = await this.read(chunk);
        return count === null
          ? { done: true, value: undefined }
          : { done: false, value: chunk.subarray(0, count) };
      },
    };
  }

  [Symbol.dispose](): void {
    this.close();
  }

  /** Closes, and waits until the connection has ended, with or without an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    this.close();
    await this.closed.catch(() => {});
  }
}

/** Checks the arguments of a read; returns the error, or `undefined` if the read may begin. */
export function readFault(p: unknown, isReading: boolean): TypeError | undefined {
  if (!isBytes(p)) return notBytes("read", p);
  return isReading
    ? new TypeError("read: another read of this connection is pending; await it first")
    : undefined;
}
