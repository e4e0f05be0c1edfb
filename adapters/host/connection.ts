/**
 * TCP connections of the host's kernel, with the interface of the stack's sockets.
 *
 * @module
 */
import type { Socket } from "node:net";
import { TcpError, type TcpErrorCode } from "../../core/api/errors.ts";
import { bytesFault } from "../../core/api/tcp/bytes.ts";
import { DEFAULT_KEEP_ALIVE_MS, possibleKeepAlive } from "../../plugins/shared/dial.ts";
import { DESCRIPTOR_ADVICE } from "./descriptors.ts";
import { type HostSocket, HostSocketBase, readFault } from "./host_socket.ts";

/** How long a closed connection still receives and discards data of the peer, in milliseconds. */
const LINGER_MS = 2000;

/** Options of a {@link HostConnection}. */
export interface HostConnectionOptions {
  /** How long a closed connection still receives data of the peer, in milliseconds. Default 2000. */
  readonly lingerMs?: number | undefined;
  /** As in `DialOptions`; default two hours. */
  readonly keepAliveMs?: number | undefined;
}

/**
 * A `node:net` socket with promises; the socket has to be created with `allowHalfOpen`. It reads at most one chunk of
 * the runtime ahead.
 */
export class HostConnection extends HostSocketBase implements HostSocket {
  /** Resolves when both directions have ended; rejects when the connection broke or was aborted. */
  readonly closed: Promise<void>;
  readonly #socket: Socket;
  readonly #lingerMs: number;
  #failure: Error | undefined;
  #ended = false;
  /** Chunks that were received and not read yet. */
  #waiting: Uint8Array[] = [];
  /** Wakes a waiting `read()`. */
  #wakeReader: (() => void) | undefined;

  /** Takes over `socket`, which must not be read by other code. */
  constructor(socket: Socket, options: HostConnectionOptions = {}) {
    super();
    const { lingerMs = LINGER_MS, keepAliveMs = DEFAULT_KEEP_ALIVE_MS } = options;
    this.#socket = socket;
    this.#lingerMs = lingerMs;
    this.closed = new Promise((resolve, reject) => {
      socket.once("close", () => this.#failure ? reject(this.#failure) : resolve());
    });
    this.closed.catch(() => {});
    socket.setNoDelay(true);
    // Otherwise a vanished peer would keep both connections of a relay open indefinitely.
    if (keepAliveMs > 0) socket.setKeepAlive(true, possibleKeepAlive(keepAliveMs));
    socket.on("data", (chunk: Uint8Array) => this.#take(chunk));
    socket.on("end", () => this.#end());
    socket.on("error", (error) => this.#fail(hostError(error)));
    socket.on("close", () => this.#end());
  }

  /**
   * Fills `p`; resolves with the byte count, or with `null` after the peer's FIN. One read at a time.
   *
   * @throws {TcpError} The connection broke.
   * @throws {TypeError} `p` is not a `Uint8Array`, or another read is pending.
   */
  async read(p: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    const fault = readFault(p, this.#wakeReader !== undefined);
    if (fault !== undefined) throw fault;
    while (this.#waiting.length === 0) {
      if (this.#failure) throw this.#failure;
      if (this.#ended) return null;
      await new Promise<void>((resolve) => {
        this.#wakeReader = resolve;
        this.#socket.resume();
      });
    }
    return this.#give(p);
  }

  /**
   * Resolves with `p.byteLength` once the kernel has accepted all of it; until then `p` must not be changed.
   *
   * @throws {TcpError} The connection broke.
   */
  write(p: Uint8Array<ArrayBufferLike>): Promise<number> {
    const fault = bytesFault("write", p);
    if (fault !== undefined) return Promise.reject(fault);
    return new Promise((resolve, reject) => {
      this.#socket.write(p, (error) => error ? reject(hostError(error)) : resolve(p.byteLength));
    });
  }

  /**
   * Sends a FIN after everything written; reading continues.
   *
   * @throws {TcpError} The connection broke.
   */
  closeWrite(): Promise<void> {
    return new Promise((resolve, reject) => {
      this.#socket.once("close", () => this.#failure ? reject(this.#failure) : resolve());
      this.#socket.end(resolve);
    });
  }

  /**
   * Ends reading and writing; data already written is still delivered. Unread data from the peer would make
   * the kernel reset the connection (RFC 2525 2.17), so it is read and discarded until the peer's FIN, for at
   * most two seconds.
   */
  close(): void {
    const socket = this.#socket;
    if (socket.destroyed) return;
    socket.removeAllListeners("data");
    this.#waiting = [];
    this.#end();
    socket.end();
    socket.resume();
    const linger = setTimeout(() => socket.destroy(), this.#lingerMs);
    socket.once("close", () => clearTimeout(linger));
  }

  /** Sends a RST at once and drops all buffers (RFC 9293 3.10.5). */
  abort(reason?: unknown): void {
    if (this.#socket.destroyed) return;
    this.#fail(
      new TcpError("CONNECTION_ABORTED", "the connection was aborted", { cause: reason }),
    );
    this.#socket.resetAndDestroy();
  }

  #take(chunk: Uint8Array): void {
    this.#waiting.push(chunk);
    if (!this.#wakeReader) this.#socket.pause();
    this.#wake();
  }

  #give(p: Uint8Array): number {
    const chunk = this.#waiting[0]!;
    const size = Math.min(p.byteLength, chunk.byteLength);
    // A detached array throws even on an empty set().
    if (size > 0) p.set(size < chunk.byteLength ? chunk.subarray(0, size) : chunk);
    if (size < chunk.byteLength) this.#waiting[0] = chunk.subarray(size);
    else this.#waiting.shift();
    return size;
  }

  #end(): void {
    this.#ended = true;
    this.#wake();
  }

  #fail(error: Error): void {
    this.#failure ??= error;
    this.#wake();
  }

  #wake(): void {
    this.#wakeReader?.();
    this.#wakeReader = undefined;
  }
}

const CODES: Readonly<Record<string, TcpErrorCode>> = {
  ECONNREFUSED: "CONNECTION_REFUSED",
  ECONNRESET: "CONNECTION_RESET",
  EPIPE: "CONNECTION_RESET",
  ETIMEDOUT: "TIMED_OUT",
  EHOSTUNREACH: "UNREACHABLE",
  ENETUNREACH: "UNREACHABLE",
  ENOENT: "CONNECTION_REFUSED", // the Unix socket does not exist
  EMFILE: "INSUFFICIENT_RESOURCES",
  ENFILE: "INSUFFICIENT_RESOURCES",
  ENOBUFS: "INSUFFICIENT_RESOURCES",
  ENOMEM: "INSUFFICIENT_RESOURCES",
  EADDRNOTAVAIL: "ADDRESS_NOT_AVAILABLE",
  EINVAL: "ADDRESS_NOT_AVAILABLE", // Deno's code for EADDRNOTAVAIL
  EADDRINUSE: "ADDRESS_IN_USE",
  ENOTFOUND: "INVALID_ADDRESS",
  EAI_AGAIN: "INVALID_ADDRESS",
};

/** Converts an error of the kernel to a {@link TcpError} with the matching code, if there is one. */
export function hostError(error: Error & { code?: string }): Error {
  const code = CODES[error.code ?? ""];
  return code ? new TcpError(code, textOf(error), { cause: error }) : error;
}

/** The text of an error; for a lack of descriptors, it says how to raise the limit. */
function textOf({ code, message }: Error & { code?: string }): string {
  return code === "EMFILE" || code === "ENFILE" ? `${code}: ${DESCRIPTOR_ADVICE[code]}` : message;
}
