/**
 * Sockets derived from other sockets, which middleware passes to the rest of its chain.
 *
 * @module
 */
import { TcpError } from "../errors.ts";
import { formatHostPort } from "../host_port.ts";
import { SerialQueue } from "../runtime/serial_queue.ts";
import type {
  EventLogOptions,
  NetAddr,
  SocketInfo,
  TcpEventLog,
  TcpSocket,
  TcpState,
  TcpStats,
} from "../types.ts";
import {
  bytesFault,
  emptyRead,
  isBytes,
  lostWhileWaiting,
  notBytes,
  requireBytes,
} from "./bytes.ts";
import { ChunkReader, type ChunkSource } from "./chunk_reader.ts";
import type { ReadableListener } from "./connection_listener.ts";
import { type DirectReader, directReaderOf, readThrough } from "./direct_reader.ts";
import { readableOf, writableOf } from "./socket_streams.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * The functions and properties that a derived socket replaces; all others are those of its base.
 */
export interface SocketOverrides {
  /**
   * Returns the next bytes in an array of their own; `undefined` at the peer's FIN. Called when a
   * reader waits and no earlier bytes are left; calls never overlap.
   */
  readonly readChunk?: () => Promise<Uint8Array<ArrayBuffer> | undefined>;
  /**
   * Reads into the caller's array, in place of `readChunk`. Resolves with the number of bytes, with
   * `null` at the peer's FIN, or with 0 if the array's buffer was transferred meanwhile. Calls
   * never overlap.
   */
  readonly read?: (p: Uint8Array<ArrayBufferLike>) => Promise<number | null>;
  /** Writes all of `bytes`, which do not change until it has settled. Calls never overlap. */
  readonly write?: (bytes: Uint8Array<ArrayBufferLike>) => Promise<unknown>;
  /**
   * Writes as much of `bytes` as it can without waiting, and returns the number of bytes. Called
   * only while no write is waiting. If only `write` is given, `tryWrite` always returns 0.
   */
  readonly tryWrite?: (bytes: Uint8Array<ArrayBufferLike>) => number;
  /**
   * Ends writing. Runs once, after all writes, and when the socket is closed too; when it settles, it
   * must have passed everything to the base.
   */
  readonly closeWrite?: () => Promise<void>;
  /** Aborts the connection and drops all data; it has to abort the base. */
  readonly abort?: (reason?: unknown) => void;
  /** This side's address. */
  readonly localAddr?: NetAddr;
  /** The peer's address. */
  readonly remoteAddr?: NetAddr;
  /** The application protocol negotiated (RFC 7301), which `opened` reports. */
  readonly alpn?: string | null;
  /** Bytes are encrypted on the wire. */
  readonly upgraded?: boolean;
}

/** {@link SocketOverrides} of this package's own middleware. */
export interface DirectOverrides extends SocketOverrides {
  /** Reads without a promise, in place of `read`. */
  readonly reader?: DirectReader;
}

/**
 * Derives a socket from another one by replacing a few functions, for `next(socket)`.
 *
 * It buffers the rest of at most one received chunk and nothing that is written, so that
 * backpressure is preserved. Each direction ends and fails as the base does, unless the functions
 * decide otherwise. `close()` waits for earlier writes, ends writing, then closes the base; what
 * the peer sends meanwhile is discarded. Statistics, state and socket options are those of the
 * base.
 *
 * @example
 * ```ts
 * import { createStack, deriveSocket, type Handler } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const upperCase: Handler = async ({ socket }, next) => {
 *   const write = (bytes: Uint8Array) =>
 *     socket.write(bytes.map((byte) => byte >= 97 && byte <= 122 ? byte - 32 : byte));
 *   await next(deriveSocket(socket, { write }));
 * };
 *
 * const [link] = linkPair();
 * await using stack = createStack({ link, addresses: ["10.0.0.1/24"] });
 * stack.use(7, upperCase, echo());
 * ```
 */
export function deriveSocket(base: TcpSocket, overrides: SocketOverrides): TcpSocket {
  return new DerivedSocket(base, overrides);
}

/** {@link deriveSocket} for middleware whose socket can be read without a promise. */
export function deriveDirectSocket(base: TcpSocket, overrides: DirectOverrides): TcpSocket {
  return new DerivedSocket(base, overrides);
}

/**
 * Puts bytes back: returns a socket for the same connection on which `bytes` are read first.
 * `bytes` must not be changed afterwards.
 *
 * @example
 * ```ts
 * import { createStack, type Handler, unread } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const peek: Handler = async ({ socket, log }, next) => {
 *   const chunk = new Uint8Array(1);
 *   if (await socket.read(chunk) === null) return;
 *   log.debug("first byte", { byte: chunk[0] });
 *   await next(unread(socket, chunk));
 * };
 *
 * const [link] = linkPair();
 * await using stack = createStack({ link, addresses: ["10.0.0.1/24"] });
 * stack.use(7, peek, echo());
 * ```
 */
export function unread(socket: TcpSocket, bytes: Uint8Array<ArrayBuffer>): TcpSocket {
  requireBytes("unread", bytes);
  return bytes.length === 0 ? socket : new DerivedSocket(socket, {}, bytes);
}

/**
 * Closes a socket and waits until everything written has been passed to its base, so that the base
 * can be closed too.
 */
export async function finishSocket(socket: TcpSocket): Promise<void> {
  socket.close().catch(() => {});
  if (socket instanceof DerivedSocket) await socket.finished;
}

/** Bytes that iteration reads at a time. */
const CHUNK_BYTES = 16 * 1024;

function chunksOf(read: NonNullable<SocketOverrides["read"]>): ChunkSource {
  return async () => {
    const chunk = new Uint8Array(CHUNK_BYTES);
    const count = await read(chunk);
    return count === null ? undefined : chunk.subarray(0, count);
  };
}

class DerivedSocket implements TcpSocket, DirectReader {
  readonly #base: TcpSocket;
  readonly #overrides: SocketOverrides;
  readonly #reader: ChunkReader | undefined;
  /** Reads without a promise, if that is possible. */
  readonly #direct: DirectReader | undefined;
  /** The listener of the last call of {@link whenReadable}. */
  #listener: ReadableListener | undefined;
  readonly #writes: SerialQueue | undefined;
  /** Bytes to be read before all others; set by {@link unread}. */
  #front: Bytes | undefined;
  #closing: "no" | "write" | "both" = "no";
  #writeEnd: Promise<void> | undefined;
  #readable: ReadableStream<Bytes> | undefined;
  #writable: WritableStream<Uint8Array<ArrayBufferLike>> | undefined;
  /** Resolves when everything was passed to the base and the base is closed; set by `close()`. */
  finished: Promise<void> | undefined;

  constructor(base: TcpSocket, overrides: DirectOverrides, front?: Bytes) {
    const { reader, readChunk, write, closeWrite } = overrides;
    this.#base = base;
    this.#overrides = overrides;
    this.#front = front;
    const read: SocketOverrides["read"] = reader ? (p) => readThrough(reader, p) : overrides.read;
    if (read) this.#reader = new ChunkReader(chunksOf(read), read);
    else if (readChunk) this.#reader = new ChunkReader(() => readChunk());
    this.#direct = this.#reader === undefined ? directReaderOf(base) : reader;
    if (write || closeWrite) this.#writes = new SerialQueue();
  }

  get opened(): Promise<SocketInfo> {
    return this.#base.opened.then(({ alpn }) => ({
      remoteAddress: formatHostPort(this.remoteAddr),
      localAddress: formatHostPort(this.localAddr),
      alpn: this.#overrides.alpn === undefined ? alpn : this.#overrides.alpn,
    }));
  }

  get closed(): Promise<undefined> {
    return this.#base.closed;
  }

  get localAddr(): NetAddr {
    return this.#overrides.localAddr ?? this.#base.localAddr;
  }

  get remoteAddr(): NetAddr {
    return this.#overrides.remoteAddr ?? this.#base.remoteAddr;
  }

  get upgraded(): boolean {
    return this.#overrides.upgraded ?? this.#base.upgraded;
  }

  get state(): TcpState {
    return this.#base.state;
  }

  stats(): TcpStats {
    return this.#base.stats();
  }

  eventLog(options?: EventLogOptions): TcpEventLog {
    return this.#base.eventLog(options);
  }

  get readable(): ReadableStream<Bytes> {
    return this.#readable ??= readableOf(this);
  }

  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#writable ??= writableOf(this);
  }

  // ---------------------------------------------------------------- reading

  read(p: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    if (!isBytes(p)) return Promise.reject(notBytes("read", p));
    if (p.length === 0) return emptyRead(p);
    if (this.#closing === "both") return Promise.resolve(null);
    if (this.#front === undefined) return (this.#reader ?? this.#base).read(p);
    return Promise.resolve(this.#takeFront(this.#front, p));
  }

  #takeFront(front: Bytes, target: Uint8Array<ArrayBufferLike>): number {
    const count = Math.min(front.length, target.length);
    target.set(front.subarray(0, count));
    this.#front = count < front.length ? front.subarray(count) : undefined;
    return count;
  }

  get directReader(): DirectReader | undefined {
    return this.#direct && this;
  }

  tryRead(target: Uint8Array<ArrayBufferLike>): number | null {
    if (this.#closing === "both") return null;
    if (this.#front !== undefined) return this.#takeFront(this.#front, target);
    return this.#reader === undefined || this.#reader.isIdle ? this.#direct!.tryRead(target) : 0;
  }

  whenReadable(listener: ReadableListener): boolean {
    if (this.#closing === "both" || this.#front !== undefined) return false;
    this.#listener = listener;
    const reader = this.#reader;
    if (reader === undefined || reader.isIdle) return this.#direct!.whenReadable(listener);
    reader.whenIdle(() => listener.onReadable());
    return true;
  }

  [Symbol.asyncIterator](): AsyncIterator<Bytes> {
    const reader = this.#reader;
    if (reader === undefined) return this.#withFront(this.#base[Symbol.asyncIterator]());
    return this.#withFront({
      next: async () => {
        this.acknowledge();
        const chunk = await reader.next();
        return chunk === undefined
          ? { done: true, value: undefined }
          : { done: false, value: chunk };
      },
    });
  }

  views(): AsyncIterableIterator<Bytes> {
    const behind: AsyncIterator<Bytes> = this.#reader
      ? this[Symbol.asyncIterator]()
      : this.#base.views();
    const { next } = this.#withFront(behind);
    const views: AsyncIterableIterator<Bytes> = {
      [Symbol.asyncIterator]: () => views,
      next,
      return: async () => {
        await behind.return?.();
        return { done: true, value: undefined };
      },
    };
    return views;
  }

  #withFront(behind: AsyncIterator<Bytes>): { next(): Promise<IteratorResult<Bytes>> } {
    return {
      next: () => {
        if (this.#closing === "both") return Promise.resolve({ done: true, value: undefined });
        const front = this.#front;
        this.#front = undefined;
        return front === undefined ? behind.next() : Promise.resolve({ done: false, value: front });
      },
    };
  }

  acknowledge(): void {
    // Otherwise the base would count bytes that are still buffered here as processed.
    const isDrained = this.#front === undefined && (this.#reader?.isDrained ?? true);
    if (isDrained) this.#base.acknowledge();
  }

  // ---------------------------------------------------------------- writing and closing

  write(p: Uint8Array<ArrayBufferLike>): Promise<number> {
    const { write } = this.#overrides;
    if (this.#writes === undefined) return this.#base.write(p);
    const fault = bytesFault("write", p) ??
      (this.#closing === "no" ? undefined : this.#closingError());
    if (fault !== undefined) return Promise.reject(fault);
    const { length } = p;
    return this.#writes.run(async () => {
      if (p.length < length) throw lostWhileWaiting("write", 0, length);
      const whole = p.length === length ? p : p.subarray(0, length);
      await (write ? write(whole) : this.#base.write(whole));
      // Only `write` knows how many of the bytes it has processed, so none is reported.
      if (p.length < length) throw lostWhileWaiting("write", 0, length);
      return length;
    });
  }

  tryWrite(p: Uint8Array<ArrayBufferLike>): number {
    requireBytes("tryWrite", p);
    if (this.#closing !== "no") return 0;
    if (this.#writes === undefined) return this.#base.tryWrite(p);
    // Without waiting, only `tryWrite` can be used, and only if no earlier write is pending.
    return this.#writes.isIdle ? this.#overrides.tryWrite?.(p) ?? 0 : 0;
  }

  closeWrite(): Promise<void> {
    if (this.#closing === "no") this.#closing = "write";
    const { closeWrite } = this.#overrides;
    return this.#writeEnd ??= this.#writes === undefined
      ? this.#base.closeWrite()
      : this.#writes.run(() => closeWrite ? closeWrite() : this.#base.closeWrite());
  }

  close(_reason?: unknown): Promise<undefined> {
    this.#closing = "both";
    this.#front = undefined;
    this.#reader?.close();
    this.#listener?.onReadable();
    this.finished ??= this.#finish();
    return this.closed;
  }

  async #finish(): Promise<void> {
    if (this.#writes !== undefined) {
      const ended = this.closeWrite();
      // A peer whose data is not read may stop reading what is still to be sent.
      this.#discard().catch(() => {});
      await ended.catch(() => {});
    }
    await finishSocket(this.#base);
  }

  async #discard(): Promise<void> {
    if (this.#reader) return await this.#reader.discard();
    const discarded = new Uint8Array(16 * 1024);
    while (await this.#base.read(discarded) !== null) this.#base.acknowledge();
  }

  abort(reason?: unknown): void {
    const { abort } = this.#overrides;
    this.#front = undefined;
    if (abort) abort(reason);
    else this.#base.abort(reason);
  }

  [Symbol.dispose](): void {
    this.close().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch(() => {});
  }

  #closingError(): TcpError {
    const ends = { local: this.localAddr, remote: this.remoteAddr };
    return new TcpError("CLOSING", "The socket has been closed for writing", ends);
  }

  // ---------------------------------------------------------------- options

  setUserTimeout(ms: number): void {
    this.#base.setUserTimeout(ms);
  }

  setLinger(seconds?: number): void {
    this.#base.setLinger(seconds);
  }

  setCork(cork?: boolean): void {
    this.#base.setCork(cork);
  }

  setNoDelay(noDelay?: boolean): void {
    this.#base.setNoDelay(noDelay);
  }

  setKeepAlive(keepAlive?: boolean): void {
    this.#base.setKeepAlive(keepAlive);
  }

  ref(): void {
    this.#base.ref();
  }

  unref(): void {
    this.#base.unref();
  }
}
