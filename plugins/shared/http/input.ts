/**
 * The input buffer of a connection.
 *
 * @module
 */
import { type DirectReader, directReaderOf } from "../../../core/api/tcp/direct_reader.ts";
import type { ReadableListener } from "../../../core/api/tcp/connection_listener.ts";
import type { TcpSocket } from "../../../core/api/types.ts";

const SMALL = 4096;
const LARGE = 65_536;

/** Received bytes that are not consumed yet: `bytes[start..end)` of a reused buffer. */
export class Input implements ReadableListener {
  readonly #socket: Pick<TcpSocket, "read">;
  /** The socket, if it can be read from without a promise. */
  readonly #direct: DirectReader | undefined;
  #filling: Promise<boolean> | undefined;
  /** Settles `#filling` while it waits for `onReadable`. */
  #settle: ((filled: boolean | PromiseLike<boolean>) => void) | undefined;
  #isLarge = false;
  /** The buffer; replaced by `fill()` if it needs more room. */
  bytes: Uint8Array<ArrayBuffer> = new Uint8Array(SMALL);
  /** Start of the unconsumed bytes. */
  start = 0;
  /** End of the unconsumed bytes. */
  end = 0;

  /** Makes an empty input. */
  constructor(socket: Pick<TcpSocket, "read">) {
    this.#socket = socket;
    this.#direct = directReaderOf(socket);
  }

  /** Number of unconsumed bytes. */
  get length(): number {
    return this.end - this.start;
  }

  /** Puts bytes into an empty input, before the first read. */
  put(bytes: Uint8Array): void {
    if (bytes.length > this.bytes.length) this.bytes = new Uint8Array(2 * bytes.length);
    this.bytes.set(bytes);
    this.end = bytes.length;
  }

  /** Consumes up to `max` bytes; returns a copy. */
  take(max: number): Uint8Array<ArrayBuffer> {
    const end = this.start + Math.min(max, this.length);
    const taken = this.bytes.slice(this.start, end);
    this.start = end;
    return taken;
  }

  /**
   * Appends bytes from one read; false at the end of the stream. With `large`, for bodies, the buffer has
   * 64 KiB; otherwise it grows only when it is full. Concurrent calls share one read.
   */
  fill(large = false): Promise<boolean> {
    if (this.#filling !== undefined) return this.#filling;
    if (this.#direct === undefined) return this.#filling = this.#read(large);
    this.#isLarge = large;
    try {
      const filled = this.#tryFill(this.#direct);
      return filled === undefined ? this.#whenFilled() : Promise.resolve(filled);
    } catch (error) {
      return Promise.reject(error);
    }
  }

  /** Called by the socket. */
  onReadable(): void {
    const settle = this.#settle;
    if (settle === undefined) return;
    let filled: boolean | Promise<boolean> | undefined;
    try {
      filled = this.#tryFill(this.#direct!);
    } catch (error) {
      filled = Promise.reject(error);
    }
    if (filled === undefined) return;
    this.#settle = this.#filling = undefined;
    settle(filled);
  }

  #whenFilled(): Promise<boolean> {
    const { promise, resolve } = Promise.withResolvers<boolean>();
    this.#settle = resolve;
    return this.#filling = promise;
  }

  /** Reads what has arrived; `undefined`: nothing, and `onReadable` will be called. */
  #tryFill(direct: DirectReader): boolean | undefined {
    do {
      const count = direct.tryRead(this.#room(this.#isLarge));
      if (count === null) return false;
      this.end += count;
      if (count > 0) return true;
    } while (!direct.whenReadable(this));
    return undefined;
  }

  async #read(large: boolean): Promise<boolean> {
    try {
      const count = await this.#socket.read(this.#room(large));
      if (count === null) return false;
      this.end += count;
      return true;
    } finally {
      this.#filling = undefined;
    }
  }

  #room(large: boolean): Uint8Array<ArrayBuffer> {
    this.#makeRoom(large);
    return this.end === 0 ? this.bytes : this.bytes.subarray(this.end);
  }

  #makeRoom(large: boolean): void {
    const { length } = this;
    const size = large ? LARGE : SMALL;
    if (length === 0) {
      this.start = this.end = 0;
      // An idle connection keeps the small buffer only.
      if (this.bytes.length !== size) this.bytes = new Uint8Array(size);
    } else if (this.bytes.length < size || this.end === this.bytes.length) {
      this.#move(length === this.bytes.length ? length * 2 : Math.max(size, this.bytes.length));
    }
  }

  #move(size: number): void {
    const { length } = this;
    if (size === this.bytes.length) {
      this.bytes.copyWithin(0, this.start, this.end);
    } else {
      const larger = new Uint8Array(size);
      larger.set(this.bytes.subarray(this.start, this.end));
      this.bytes = larger;
    }
    this.start = 0;
    this.end = length;
  }
}
