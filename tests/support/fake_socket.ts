/**
 * Sockets without a stack: two ends in memory, and a handler's context with a manual clock.
 *
 * @module
 */
import { setImmediate } from "node:timers";
import { VirtualClock } from "../../adapters/runtime/virtual_clock.ts";
import type { Logger } from "../../core/api/environment.ts";
import { TcpError, type TcpErrorCode } from "../../core/api/errors.ts";
import { formatHostPort } from "../../core/api/host_port.ts";
import {
  bytesFault,
  emptyRead,
  isBytes,
  lostWhileWaiting,
  notBytes,
  requireBytes,
} from "../../core/api/tcp/bytes.ts";
import type { ReadableListener } from "../../core/api/tcp/connection_listener.ts";
import type { DirectReader } from "../../core/api/tcp/direct_reader.ts";
import { describeCloseReason } from "../../core/api/tcp/close_reason.ts";
import { readableOf, writableOf } from "../../core/api/tcp/socket_streams.ts";
import type {
  Context,
  NetAddr,
  SocketInfo,
  Stack,
  TcpEventLog,
  TcpSocket,
  TcpState,
  TcpStats,
} from "../../core/api/types.ts";
import type { EndReason } from "../../core/tcp/state.ts";
import { emptyEventLog } from "./empty_event_log.ts";

/** Options of {@link socketPair}. */
export interface PairOptions {
  /** Size of the buffer in each direction, in bytes. Default 65 536. */
  bufferSize?: number;
  /** Maximum number of bytes that one `read` returns. Default: all available bytes. */
  readSize?: number;
  /** The client's address. */
  client?: NetAddr;
  /** The server's address. */
  server?: NetAddr;
}

/** The two ends of an established connection, with bounded buffers in between. */
export function socketPair(options: PairOptions = {}): { client: FakeSocket; server: FakeSocket } {
  const clientAddr = options.client ?? { transport: "tcp", hostname: "10.0.0.1", port: 50_000 };
  const serverAddr = options.server ?? { transport: "tcp", hostname: "10.0.0.2", port: 80 };
  const { bufferSize = 65_536, readSize = Infinity } = options;
  const up = new Pipe(bufferSize, readSize);
  const down = new Pipe(bufferSize, readSize);
  const client = new FakeSocket(down, up, clientAddr, serverAddr);
  const server = new FakeSocket(up, down, serverAddr, clientAddr);
  client.peer = server;
  server.peer = client;
  return { client, server };
}

/** A pending read. */
interface WaitingRead extends PromiseWithResolvers<number | null> {
  readonly target: Uint8Array;
}

/** A pending write. */
interface WaitingWrite extends PromiseWithResolvers<number> {
  readonly bytes: Uint8Array;
  /** Length of `bytes` at the time of the call. */
  readonly length: number;
  /** Number of bytes accepted. */
  at: number;
}

/** One direction of a connection: a bounded queue of bytes. */
class Pipe {
  readonly #size: number;
  readonly #readSize: number;
  #chunks: Uint8Array[] = [];
  readonly #reads: WaitingRead[] = [];
  readonly #writes: WaitingWrite[] = [];
  #readableListener: ReadableListener | undefined;
  #isEnding = false;
  /** Number of bytes in the queue. */
  length = 0;
  /** Number of bytes received in all. */
  total = 0;
  /** Number of bytes read, without those discarded after the reader has closed. */
  taken = 0;
  /** Whether the FIN has been sent. */
  ended = false;
  /** Whether the reader has closed. */
  isUnread = false;
  readError: TcpError | undefined;
  writeError: TcpError | undefined;
  /** Called when the FIN is sent. */
  onEnd: () => void = () => {};
  /** Called for bytes that will not be read; returns true to discard them without a RST. */
  onUnread: () => boolean = () => true;

  constructor(size: number, readSize: number) {
    this.#size = size;
    this.#readSize = readSize;
  }

  /** Whether writes have to wait. */
  get isFull(): boolean {
    return this.#writes.length > 0;
  }

  /** Whether writing has ended, although writes may be pending. */
  get isEnding(): boolean {
    return this.#isEnding;
  }

  read(target: Uint8Array): Promise<number | null> {
    const read = { target, ...Promise.withResolvers<number | null>() };
    this.#reads.push(read);
    this.serve();
    return read.promise;
  }

  tryRead(target: Uint8Array): number | null {
    if (!this.#isReadable || this.#reads.length > 0) return 0;
    if (this.isUnread || this.length === 0) {
      if (!this.isUnread && !this.ended) throw this.readError;
      return null;
    }
    const count = this.#take(target);
    this.serve();
    return count;
  }

  whenReadable(listener: ReadableListener): boolean {
    if (this.#isReadable && this.#reads.length === 0) return false;
    this.#readableListener = listener;
    return true;
  }

  get #isReadable(): boolean {
    return this.length > 0 || this.isUnread || this.ended || this.readError !== undefined;
  }

  write(bytes: Uint8Array): Promise<number> {
    const write = { bytes, length: bytes.length, at: 0, ...Promise.withResolvers<number>() };
    this.#writes.push(write);
    this.serve();
    return write.promise;
  }

  tryWrite(bytes: Uint8Array): number {
    if (this.writeError || this.#isEnding || this.isFull) return 0;
    const count = this.#put(bytes);
    this.serve();
    return count;
  }

  /** Sends the FIN after the pending writes. */
  end(): void {
    this.#isEnding = true;
    this.serve();
  }

  /** Drops the unread bytes. */
  clear(): void {
    this.#chunks = [];
    this.length = 0;
  }

  /** Serves pending reads and writes as far as possible. */
  serve(): void {
    while (this.#serveWrite() || this.#serveRead());
    const ends = this.#isEnding && !this.ended && !this.isFull && !this.writeError;
    if (ends) {
      this.ended = true;
      while (this.#serveRead());
    }
    const listener = this.#readableListener;
    if (listener !== undefined && this.#isReadable) {
      this.#readableListener = undefined;
      listener.onReadable();
    }
    if (ends) this.onEnd();
  }

  /** Returns true if the first read was served. */
  #serveRead(): boolean {
    const [read] = this.#reads;
    if (read === undefined) return false;
    const hasData = this.length > 0 && !this.isUnread;
    const isOver = this.isUnread || this.ended;
    if (!hasData && !isOver && !this.readError) return false;
    this.#reads.shift();
    if (hasData) read.resolve(this.#take(read.target));
    else if (isOver) read.resolve(null);
    else read.reject(this.readError);
    return true;
  }

  /** Returns true if the first write was served. */
  #serveWrite(): boolean {
    const [write] = this.#writes;
    if (write === undefined) return false;
    const isWhole = write.bytes.length >= write.length;
    if (!this.writeError && isWhole) {
      write.at += this.#put(write.bytes.subarray(write.at, write.length));
      if (write.at < write.length && !this.writeError) return false;
    }
    this.#writes.shift();
    if (write.at === write.length) write.resolve(write.length);
    else write.reject(this.writeError ?? lostWhileWaiting("write", write.at, write.length));
    return true;
  }

  /** Appends as many bytes as fit; returns their number. */
  #put(bytes: Uint8Array): number {
    const isDiscarded = this.isUnread && bytes.length > 0 && this.onUnread();
    const count = this.isUnread ? bytes.length : Math.min(bytes.length, this.#size - this.length);
    if (count === 0 || this.isUnread && !isDiscarded) return count;
    this.total += count;
    if (isDiscarded) return count;
    this.#chunks.push(bytes.slice(0, count));
    this.length += count;
    return count;
  }

  #take(target: Uint8Array): number {
    const max = Math.min(target.length, this.#readSize);
    let taken = 0;
    while (taken < max && this.#chunks.length > 0) {
      const chunk = this.#chunks[0]!;
      const count = Math.min(chunk.length, max - taken);
      target.set(chunk.subarray(0, count), taken);
      taken += count;
      if (count === chunk.length) this.#chunks.shift();
      else this.#chunks[0] = chunk.subarray(count);
    }
    this.length -= taken;
    this.taken += taken;
    return taken;
  }
}

/** One end of a {@link socketPair}. It passes `socket_conformance.ts`. */
export class FakeSocket implements TcpSocket, DirectReader {
  readonly #in: Pipe;
  readonly #out: Pipe;
  readonly #closed = Promise.withResolvers<undefined>();
  readonly localAddr: NetAddr;
  readonly remoteAddr: NetAddr;
  readonly upgraded = false;
  #hasFailed = false;
  #readable: ReadableStream<Uint8Array<ArrayBuffer>> | undefined;
  #writable: WritableStream<Uint8Array<ArrayBufferLike>> | undefined;
  /** The other end. */
  peer: FakeSocket | undefined;
  /** How this end was ended, if it was. */
  ending: "close" | "abort" | undefined;

  constructor(incoming: Pipe, outgoing: Pipe, localAddr: NetAddr, remoteAddr: NetAddr) {
    this.#in = incoming;
    this.#out = outgoing;
    this.localAddr = localAddr;
    this.remoteAddr = remoteAddr;
    this.#closed.promise.catch(() => {});
    outgoing.onEnd = () => {
      this.#settle();
      if (this.peer) this.peer.#settle();
    };
    incoming.onUnread = () => this.#discardOrReset();
  }

  get opened(): Promise<SocketInfo> {
    return Promise.resolve({
      remoteAddress: formatHostPort(this.remoteAddr),
      localAddress: formatHostPort(this.localAddr),
      alpn: null,
    });
  }

  get closed(): Promise<undefined> {
    return this.#closed.promise;
  }

  /** Bytes written by this end and not yet read by the other. */
  get unreadByPeer(): number {
    return this.#out.length;
  }

  /** Bytes read at this end. */
  get bytesRead(): number {
    return this.#in.taken;
  }

  /** True once this end has sent its FIN. */
  get ended(): boolean {
    return this.#out.ended;
  }

  get state(): TcpState {
    if (this.#hasFailed || (this.#in.ended && this.#out.ended)) return "CLOSED";
    if (this.#out.ended) return "FIN-WAIT-2";
    return this.#in.ended ? "CLOSE-WAIT" : "ESTABLISHED";
  }

  get readable(): ReadableStream<Uint8Array<ArrayBuffer>> {
    return this.#readable ??= readableOf(this);
  }

  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#writable ??= writableOf(this);
  }

  read(p: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    if (!isBytes(p)) return Promise.reject(notBytes("read", p));
    return p.length === 0 ? emptyRead(p) : this.#in.read(p);
  }

  get directReader(): this {
    return this;
  }

  tryRead(target: Uint8Array<ArrayBufferLike>): number | null {
    return this.#in.tryRead(target);
  }

  whenReadable(listener: ReadableListener): boolean {
    return this.#in.whenReadable(listener);
  }

  write(p: Uint8Array<ArrayBufferLike>): Promise<number> {
    const error = bytesFault("write", p) ?? this.#out.writeError ??
      (this.#out.isEnding ? this.#error("CLOSING", "closed for writing") : undefined);
    return error === undefined ? this.#out.write(p) : Promise.reject(error);
  }

  tryWrite(p: Uint8Array<ArrayBufferLike>): number {
    requireBytes("tryWrite", p);
    return this.#out.tryWrite(p);
  }

  closeWrite(): Promise<void> {
    this.#out.end();
    return Promise.resolve();
  }

  close(_reason?: unknown): Promise<undefined> {
    if (this.ending) return this.closed;
    this.ending = "close";
    this.#in.isUnread = true;
    this.#in.clear();
    this.#out.end();
    this.#in.serve();
    this.#settle();
    return this.closed;
  }

  abort(reason?: unknown): void {
    if (this.state === "CLOSED") return;
    this.ending = "abort";
    this.#in.clear();
    this.#fail("CONNECTION_ABORTED", reason);
    if (this.peer) this.peer.#fail("CONNECTION_RESET");
  }

  stats(): TcpStats {
    return {
      state: this.state,
      srttMs: 0,
      rttvarMs: 0,
      rtoMs: 0,
      cwnd: 0,
      ssthresh: 0,
      unacknowledged: 0,
      flightSize: 0,
      sendMss: 0,
      sendWindow: 0,
      receiveWindow: 0,
      unread: 0,
      bytesIn: this.#in.total,
      bytesOut: this.#out.total,
      segmentsIn: 0,
      segmentsOut: 0,
      retransmits: 0,
      outOfOrder: 0,
      urgentBytes: 0,
    };
  }

  eventLog(): TcpEventLog {
    return emptyEventLog();
  }

  acknowledge(): void {}

  setUserTimeout(ms: number): void {
    if (!(ms > 0)) throw new TypeError(`${ms} is not a timeout`);
  }

  setLinger(seconds?: number): void {
    if (seconds !== undefined && !(seconds >= 0)) {
      throw new TypeError(`${seconds} is not a linger time`);
    }
  }

  setCork(): void {}
  setNoDelay(): void {}
  setKeepAlive(): void {}
  ref(): void {}
  unref(): void {}

  views(): AsyncIterableIterator<Uint8Array<ArrayBuffer>> {
    const { next } = this[Symbol.asyncIterator]();
    const views: AsyncIterableIterator<Uint8Array<ArrayBuffer>> = {
      [Symbol.asyncIterator]: () => views,
      next,
      return: () => Promise.resolve({ done: true, value: undefined }),
    };
    return views;
  }

  [Symbol.asyncIterator](): AsyncIterator<Uint8Array<ArrayBuffer>> {
    return {
      next: async () => {
        const chunk = new Uint8Array(65_536);
        const count = await this.read(chunk);
        return count === null
          ? { done: true, value: undefined }
          : { done: false, value: chunk.subarray(0, count) };
      },
    };
  }

  [Symbol.dispose](): void {
    void this.close().catch(() => {});
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch(() => {});
  }

  #settle(): void {
    if (this.#out.ended && (this.#in.ended || this.ending)) this.#closed.resolve(undefined);
  }

  /** As in the stack, bytes for a reader that has closed cause a RST (RFC 2525 2.17). */
  #discardOrReset(): boolean {
    if (this.#out.isFull) return true;
    this.#hasFailed = true;
    if (this.peer) this.peer.#fail("CONNECTION_RESET");
    return false;
  }

  #fail(code: EndReason, reason?: unknown): void {
    if (this.#hasFailed) return;
    this.#hasFailed = true;
    const text = describeCloseReason(code, formatHostPort(this.remoteAddr));
    const error = this.#error(code, text, reason);
    this.#closed.reject(error);
    this.#in.readError = error;
    this.#out.writeError = error;
    this.#in.serve();
    this.#out.serve();
  }

  #error(code: TcpErrorCode, text: string, cause?: unknown): TcpError {
    return new TcpError(code, text, { local: this.localAddr, remote: this.remoteAddr, cause });
  }
}

/** Runs all pending work. */
export async function settle(): Promise<void> {
  for (let turn = 0; turn < 5; turn++) await new Promise((resolve) => void setImmediate(resolve));
}

/** A log line of a {@link testContext}. */
export interface LogLine {
  level: "debug" | "info" | "warn" | "error";
  message: string;
  fields: Readonly<Record<string, unknown>> | undefined;
}

/** Result of {@link testContext}. */
export interface TestContext {
  context: Context;
  clock: VirtualClock;
  lines: LogLine[];
  /** Aborts the context's signal, as a stack does when it closes. */
  stop(): void;
}

/**
 * Creates a handler's context with `socket`, a clock that stands still, and a log that is
 * collected.
 */
export function testContext(socket: TcpSocket, overrides: Partial<Context> = {}): TestContext {
  const clock = new VirtualClock();
  const lines: LogLine[] = [];
  const controller = new AbortController();
  const values = new Map<symbol | string, unknown>();
  const context: Context = {
    socket,
    stack: noStack,
    log: loggerInto(lines),
    clock,
    signal: controller.signal,
    get: <T>(key: symbol | string) => values.get(key) as T | undefined,
    set: (key, value) => void values.set(key, value),
    ...overrides,
  };
  socket.closed.catch(() => controller.abort());
  return { context, clock, lines, stop: () => controller.abort() };
}

/** The stack of handlers that use none; its calls fail. */
export const noStack: Pick<Stack, "connect" | "listenDatagram"> = {
  listenDatagram() {
    throw new TcpError("STACK_CLOSED", "there is no stack in this test");
  },
  connect() {
    throw new TcpError("STACK_CLOSED", "there is no stack in this test");
  },
};

function loggerInto(lines: LogLine[]): Logger {
  const at = (level: LogLine["level"]): Logger["info"] => (message, fields) => {
    lines.push({ level, message, fields });
  };
  return { debug: at("debug"), info: at("info"), warn: at("warn"), error: at("error") };
}
