/**
 * A connection of the core as a {@link TcpSocket}.
 *
 * @module
 */
import { type EndReason, STATES, type TcpState } from "../../tcp/state.ts";
import { type Tcb, TCB_EVENT } from "../../tcp/tcb.ts";
import { DELAYS_ACKS, FIN_RECEIVED, RELEASED, RESET_AFTER_ACK } from "../../tcp/tcb_flags.ts";
import { type WaitReason, waitReason } from "../../tcp/wait_reason.ts";
import { isAtEnd } from "../../tcp/user_calls.ts";
import { concatenate } from "../../wire/bytes.ts";
import { netAddr } from "../addresses.ts";
import type { SocketState } from "../moves/connection_record.ts";
import { TcpError } from "../errors.ts";
import { formatHostPort } from "../host_port.ts";
import { Deferred } from "../runtime/deferred.ts";
import type { Driver } from "../runtime/driver.ts";
import { forEachOf, type SmallList, withOne, withoutOne } from "../runtime/small_list.ts";
import type { HandlerEnvironment } from "../runtime/handler_context.ts";
import type { Owner } from "../runtime/owner_notifier.ts";
import type {
  EventLogOptions,
  NetAddr,
  SocketInfo,
  TcpEventLog,
  TcpSocket,
  TcpStats,
} from "../types.ts";
import { bytesFault, emptyRead, isBytes, notBytes, requireBytes } from "./bytes.ts";
import { describeCloseReason } from "./close_reason.ts";
import type { ClosedListener, ReadableListener, WritableListener } from "./connection_listener.ts";
import { DescribedConnection } from "./described_connection.ts";
import { openEventLog } from "./event_log.ts";
import { LazyProperties } from "./lazy_properties.ts";
import { socketInfo, tcpStats } from "./socket_stats.ts";
import { readableOf, writableOf } from "./socket_streams.ts";
import { answerTo, appendReader, isArray, readerOf } from "./pending_reads.ts";
import { mayWrite, PendingWrites, type SendBuffer } from "./pending_writes.ts";
import { type Reader, type ReadTarget, Views, type ViewSource } from "./views.ts";
import type { DirectReader } from "./direct_reader.ts";
import type { DirectWriter } from "./direct_writer.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Largest chunk that iteration returns. */
const MAX_CHUNK = 1024 * 1024;
/** Receives discarded bytes. */
const DISCARDED = new Uint8Array(64 * 1024);

/** Socket flags, in the bits above those of {@link TCB_EVENT}. */
const CLOSES_WITH_PEER = 1 << 5;
const WRITE_CLOSED = 1 << 6;
const CLOSED = 1 << 7;
const MOVED_HERE = 1 << 8;

/** Options of a new socket. */
export interface SocketOptions {
  /** The peer's FIN, once it is read, closes this side too (WinterTC's `allowHalfOpen: false`). */
  readonly closesWithPeer: boolean;
  /** The state of the socket that the connection had in another stack. */
  readonly moved?: SocketState;
}

/** The socket of one connection. */
export class StackSocket
  implements TcpSocket, DirectReader, DirectWriter, Owner, ViewSource, SendBuffer {
  readonly #tcb: Tcb;
  readonly #driver: Driver;
  /** Created on first use. */
  #opened: Deferred<SocketInfo> | undefined;
  #closed: Deferred<undefined> | undefined;
  /** Flags and events in one field: a boolean property of its own would take as much memory. */
  #flags = 0;
  /** The first pending read. */
  #reader: Reader | undefined;
  /** What waits for room; only while something does. */
  #pendingWrites: PendingWrites | undefined;
  #lazy: LazyProperties | undefined;
  #environment: HandlerEnvironment | undefined = undefined;
  /** Set by {@link whenReadable}. */
  #readableListener: ReadableListener | undefined = undefined;
  #closedListeners: SmallList<ClosedListener> = undefined;
  /** Whole seconds, which take less memory than a fraction. */
  readonly #openedSecond: number;

  constructor(tcb: Tcb, driver: Driver, options: SocketOptions) {
    this.#tcb = tcb;
    this.#driver = driver;
    this.#openedSecond = Math.floor(driver.now() / 1000) - (options.moved?.ageSeconds ?? 0);
    if (options.closesWithPeer) this.#flags |= CLOSES_WITH_PEER;
    tcb.handle = this;
    if (options.moved !== undefined) this.#continue(options.moved);
    this.onEvent();
  }

  /** Continues from the state of the socket in another stack. */
  #continue({ closesWithPeer, writeClosed, closed, pending }: SocketState): void {
    if (closesWithPeer) this.#flags |= CLOSES_WITH_PEER;
    if (writeClosed) this.#flags |= WRITE_CLOSED;
    if (closed) this.#flags |= CLOSED;
    this.#flags |= MOVED_HERE;
    if (pending.length > 0) this.#waitForRoom().addWrite(pending, 0).catch(() => {});
    else this.#closeWhenWritten();
  }

  /** The state that a socket of another stack continues from. */
  stateToMove(): SocketState {
    return {
      closesWithPeer: this.#closesWithPeer,
      writeClosed: this.#isWriteClosed,
      closed: this.#isClosed,
      ageSeconds: this.ageSeconds,
      pending: concatenate(this.#pendingWrites?.unsent() ?? []),
    };
  }

  /** The connection in the core. */
  get tcb(): Tcb {
    return this.#tcb;
  }

  /** Whether `close()` has ended reading and writing. */
  get isClosed(): boolean {
    return this.#isClosed;
  }

  get upgraded(): boolean {
    return false;
  }

  get opened(): Promise<SocketInfo> {
    if (this.#opened === undefined) {
      this.#opened = new Deferred();
      this.#settleOpened();
    }
    return this.#opened.promise;
  }

  get closed(): Promise<undefined> {
    if (this.#closed === undefined) {
      this.#closed = new Deferred();
      this.#settleClosed();
    }
    return this.#closed.promise;
  }

  get localAddr(): NetAddr {
    return this.#lazyProperties().localAddr ??= netAddr(this.#tcb.local, this.#tcb.localPort);
  }

  get remoteAddr(): NetAddr {
    return this.#lazyProperties().remoteAddr ??= netAddr(this.#tcb.remote, this.#tcb.remotePort);
  }

  get state(): TcpState {
    return this.#tcb.state;
  }

  get readable(): ReadableStream<Bytes> {
    return this.#lazyProperties().readable ??= readableOf(this);
  }

  get writable(): WritableStream<Uint8Array<ArrayBufferLike>> {
    return this.#lazyProperties().writable ??= writableOf(this);
  }

  /** The environment of the handler that serves the connection; `undefined` for sockets of `accept()` and `connect()`. */
  get environment(): HandlerEnvironment | undefined {
    return this.#environment;
  }

  /** Sets the environment of the handler that serves the connection, and counts the connection there. */
  serveIn(environment: HandlerEnvironment): void {
    this.#environment = environment;
    environment.counts.connectionServed(this.hasMovedHere);
    if (this.#hasEnded) this.#countEnd(environment);
  }

  #countEnd({ counts }: HandlerEnvironment): void {
    if (this.hasMovedAway) counts.connectionMoved();
    else counts.connectionEnded(this.#tcb);
  }

  /** Whether the connection began with other plugins or in another stack. */
  get hasMovedHere(): boolean {
    return (this.#flags & MOVED_HERE) !== 0;
  }

  /** Whether other plugins or another stack have the connection now. */
  get hasMovedAway(): boolean {
    return this.#tcb.error === "CONNECTION_MOVED";
  }

  /** The connection as `stack.connections()` shows it. */
  describe(): DescribedConnection<StackSocket> {
    return new DescribedConnection(this.#tcb, this);
  }

  /** The names of the plugins that serve it. */
  get plugin(): string | undefined {
    return this.#environment?.handlerSet.name;
  }

  /** What it waits for at present. */
  get waitsFor(): WaitReason {
    const isReading = this.#reader !== undefined || this.#readableListener !== undefined;
    return waitReason(this.#tcb, isReading);
  }

  /** Whole seconds since it was created. */
  get ageSeconds(): number {
    return Math.max(0, Math.floor(this.#driver.now() / 1000) - this.#openedSecond);
  }

  #lazyProperties(): LazyProperties {
    return this.#lazy ??= new LazyProperties();
  }

  stats(): TcpStats {
    return tcpStats(this.#tcb);
  }

  eventLog(options?: EventLogOptions): TcpEventLog {
    return openEventLog(this.#tcb, this.#driver, options);
  }

  // ---------------------------------------------------------------- reading

  read(p: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    if (!isBytes(p)) return Promise.reject(notBytes("read", p));
    if (p.length === 0) return emptyRead(p);
    if (this.#reader === undefined) {
      const count = this.#readNow(p);
      if (count > 0) return Promise.resolve(count);
      if (this.#hasReadEnded()) return this.#settleAtEnd(null);
    }
    return this.#waitForBytes(p);
  }

  /**
   * The next chunk: all bytes that have arrived, in an array of their own; `undefined` at the end.
   */
  readChunk(): Promise<Bytes | undefined> {
    this.acknowledge();
    return this.#readPiece("chunk");
  }

  views(): AsyncIterableIterator<Bytes> {
    return new Views(this);
  }

  nextView(views: Views): Promise<IteratorResult<Bytes>> {
    return this.#readPiece(views);
  }

  #readPiece<T>(target: Exclude<ReadTarget, Uint8Array>): Promise<T> {
    if (this.#reader === undefined) {
      const piece = this.#takePiece(target);
      if (piece !== undefined) return Promise.resolve(answerTo(target, piece.length, piece));
      if (this.#hasReadEnded()) return this.#settleAtEnd(answerTo(target, 0, undefined));
    }
    return this.#waitForBytes(target);
  }

  /** A view of the received bytes; {@link consume} releases them. `null` at the end; `undefined`: none. */
  tryView(): Bytes | null | undefined {
    if (this.#reader !== undefined) return undefined;
    if (this.#tcb.receive.readable > 0) return this.#tcb.receive.view();
    return this.#hasReadEnded() ? this.#takeEnd() : undefined;
  }

  get directReader(): this {
    return this;
  }

  tryRead(target: Uint8Array<ArrayBufferLike>): number | null {
    if (this.#reader !== undefined) return 0;
    const count = this.#readNow(target);
    return count === 0 && target.length > 0 && this.#hasReadEnded() ? this.#takeEnd() : count;
  }

  /** Throws if reading has ended with an error. */
  #takeEnd(): null {
    const error = this.#readError();
    if (error !== undefined) throw error;
    if (this.#closesWithPeer) void this.closeWrite();
    return null;
  }

  /**
   * Calls `listener` once when {@link tryView} and {@link tryRead} may return something; returns false if they may
   * do so already. One listener at a time.
   */
  whenReadable(listener: ReadableListener): boolean {
    if (this.#reader === undefined && this.#isReadable) return false;
    this.#readableListener = listener;
    return true;
  }

  get #isReadable(): boolean {
    return this.#tcb.receive.readable > 0 || this.#hasReadEnded();
  }

  consume(count: number): void {
    if (count === 0) return;
    this.#driver.core.tcp.consume(this.#tcb, count, this.#driver.now());
    if (this.#environment !== undefined) this.#environment.counts.bytesIn += count;
    if (this.#tcb.has(DELAYS_ACKS)) this.#driver.touch();
    else this.#driver.touchAfterRead(count);
    this.#closeWhenAcknowledged();
  }

  #waitForBytes<T>(target: ReadTarget): Promise<T> {
    const { promise, resolve } = Promise.withResolvers<T>();
    this.#reader = appendReader(this.#reader, readerOf(target, resolve));
    return promise;
  }

  [Symbol.asyncIterator](): AsyncIterator<Bytes> {
    return {
      next: () => {
        this.acknowledge();
        return this.#readPiece("next chunk");
      },
    };
  }

  #readNow(target: Uint8Array): number {
    const tcb = this.#tcb;
    if (tcb.receive.readable === 0) return 0;
    const { core } = this.#driver;
    const count = core.tcp.read(tcb, target, this.#driver.now());
    if (this.#environment !== undefined) this.#environment.counts.bytesIn += count;
    this.#driver.touchAfterRead(count);
    this.#closeWhenAcknowledged();
    return count;
  }

  #chunkNow(): Bytes | undefined {
    const available = Math.min(this.#tcb.receive.readable, MAX_CHUNK);
    if (available === 0) return undefined;
    const chunk = new Uint8Array(available);
    this.#readNow(chunk);
    return chunk;
  }

  #takePiece(target: Exclude<ReadTarget, Uint8Array>): Bytes | undefined {
    if (typeof target === "string") return this.#chunkNow();
    return this.#tcb.receive.readable > 0 ? this.#tcb.receive.view() : undefined;
  }

  acknowledge(): void {
    const tcb = this.#tcb;
    if (tcb.config.acknowledge !== "on-processed" || tcb.processedSeq === tcb.receive.readSeq) {
      return;
    }
    this.#driver.core.tcp.markProcessed(tcb, this.#driver.now());
    this.#driver.touch();
  }

  #hasReadEnded(): boolean {
    return this.#isClosed || isAtEnd(this.#tcb);
  }

  #settleAtEnd<T>(end: T): Promise<T> {
    const error = this.#readError();
    if (error !== undefined) return Promise.reject(error);
    if (this.#closesWithPeer) void this.closeWrite();
    return Promise.resolve(end);
  }

  /** After the peer's FIN, reading ends without an error, whatever happens later. */
  #readError(): TcpError | undefined {
    if (this.#isClosed) return undefined;
    const tcb = this.#tcb;
    return tcb.has(FIN_RECEIVED) || tcb.error === undefined ? undefined : this.#error(tcb.error);
  }

  #serveReaders(): void {
    for (let reader = this.#reader; reader !== undefined; reader = this.#reader) {
      const { target } = reader;
      const chunk = isArray(target) ? undefined : this.#takePiece(target);
      const count = isArray(target) ? this.#readNow(target) : chunk?.length ?? 0;
      const isOver = count === 0 && this.#hasReadEnded();
      // If the array's buffer was transferred meanwhile, the next reader gets the bytes.
      const isGone = isArray(target) && target.length === 0;
      if (count === 0 && !isOver && !isGone) return;
      const resolve = this.#shiftReader(reader);
      if (!isOver) {
        resolve(isGone ? 0 as never : answerTo(target, count, chunk));
        continue;
      }
      const error = this.#readError();
      if (error !== undefined) resolve(Promise.reject(error) as never);
      else resolve(answerTo(target, 0, undefined));
      if (this.#closesWithPeer) void this.closeWrite();
    }
    const listener = this.#readableListener;
    if (listener === undefined || !this.#isReadable) return;
    this.#readableListener = undefined;
    listener.onReadable();
  }

  /** Removes `reader`, the first pending read. */
  #shiftReader(reader: Reader): (answer: never) => void {
    const resolve = reader.resolve!;
    this.#reader = reader.behind;
    reader.resolve = reader.behind = undefined;
    return resolve;
  }

  // ---------------------------------------------------------------- writing

  write(p: Uint8Array<ArrayBufferLike>): Promise<number> {
    const error = bytesFault("write", p) ?? this.#writeError();
    if (error !== undefined) return Promise.reject(error);
    if (this.#hasPendingWrites) return this.#waitForRoom().addWrite(p, 0);
    const taken = this.writeNow(p, 0);
    return taken === p.length ? Promise.resolve(taken) : this.#waitForRoom().addWrite(p, taken);
  }

  tryWrite(p: Uint8Array<ArrayBufferLike>): number {
    requireBytes("tryWrite", p);
    return this.#canWriteNow ? this.writeNow(p, 0) : 0;
  }

  get #canWriteNow(): boolean {
    return !this.isSendOver && !this.#hasPendingWrites;
  }

  tryFill(max: number, fill: (room: Bytes) => number): number {
    if (!this.#canWriteNow) return 0;
    const { core } = this.#driver;
    const taken = core.tcp.fill(this.#tcb, max, fill, this.#driver.now());
    if (this.#environment !== undefined) this.#environment.counts.bytesOut += taken;
    this.#driver.touchAfterWrite();
    return taken;
  }

  async whenRoom(bytes: number): Promise<void> {
    const error = this.#writeError();
    if (error !== undefined) throw error;
    const room = Math.min(bytes, this.sendLimit);
    if (this.room >= room) return;
    this.awaitRoom();
    await this.#waitForRoom().addWaitForRoom(room);
  }

  /** Bytes that {@link tryWrite} would accept. */
  get room(): number {
    return this.#hasPendingWrites ? 0 : this.#tcb.send.room;
  }

  /**
   * Calls `listener` once when there is {@link room} for more than a few segments, or when the
   * connection takes no more bytes; returns false if that is already the case. One listener at a time.
   */
  whenWritable(listener: WritableListener): boolean {
    if (mayWrite(this, this.#pendingWrites)) return false;
    this.#waitForRoom().listener = listener;
    this.awaitRoom();
    return true;
  }

  // The send buffer, for what waits for room in it.

  get sendRoom(): number {
    return this.#tcb.send.room;
  }

  get sendLimit(): number {
    return this.#tcb.send.limit;
  }

  get isSendOver(): boolean {
    const { state, error } = this.#tcb;
    return this.#isWriteClosed || error !== undefined || !STATES[state].canSend;
  }

  writeNow(bytes: Uint8Array, from: number): number {
    const { core } = this.#driver;
    const taken = core.tcp.send(this.#tcb, bytes, from, this.#driver.now());
    if (this.#environment !== undefined) this.#environment.counts.bytesOut += taken;
    this.#driver.touchAfterWrite();
    return taken;
  }

  awaitRoom(): void {
    this.#driver.core.tcp.awaitRoom(this.#tcb);
  }

  get #hasPendingWrites(): boolean {
    return this.#pendingWrites !== undefined && this.#pendingWrites.hasWrites;
  }

  #waitForRoom(): PendingWrites {
    return this.#pendingWrites ??= new PendingWrites();
  }

  /** There is room, or the connection takes no more bytes. */
  #servePendingWrites(): void {
    const pending = this.#pendingWrites;
    if (pending === undefined) return;
    if (pending.hasWrites) {
      pending.serveWrites(this);
      if (!pending.hasWrites) this.#closeWhenWritten();
    }
    pending.serveListener(this);
    if (pending.isEmpty) this.#pendingWrites = undefined;
  }

  #writeError(): TcpError | undefined {
    const tcb = this.#tcb;
    if (tcb.error !== undefined) return this.#error(tcb.error);
    if (this.#isWriteClosed) {
      return new TcpError(
        "CLOSING",
        "The socket has been closed for writing",
        this.#errorDetails(),
      );
    }
    // The connection has ended without an error.
    return STATES[tcb.state].canSend ? undefined : this.#error("CONNECTION_RESET");
  }

  // ---------------------------------------------------------------- closing

  closeWrite(): Promise<void> {
    this.#flags |= WRITE_CLOSED;
    this.#closeWhenWritten();
    return Promise.resolve();
  }

  close(_reason?: unknown): Promise<undefined> {
    this.#flags |= WRITE_CLOSED | CLOSED;
    this.#serveReaders();
    this.#discardUnread();
    this.#closeWhenWritten();
    return this.closed;
  }

  /**
   * Discards received data after close() while writes are pending: a peer whose data is not read
   * may stop reading.
   */
  #discardUnread(): void {
    if (!this.#isClosed || !this.#hasPendingWrites) return;
    while (this.#readNow(DISCARDED) > 0);
    this.acknowledge();
  }

  /** Closes a connection in CLOSING of profile `local` once everything is acknowledged and read. */
  #closeWhenAcknowledged(): void {
    const tcb = this.#tcb;
    if (tcb.state !== "CLOSING" || tcb.has(RELEASED) || tcb.has(RESET_AFTER_ACK)) return;
    if (!tcb.allAcknowledged || !isAtEnd(tcb)) return;
    this.#driver.core.tcp.close(tcb, this.#driver.now());
    this.#driver.touch();
  }

  /** Queues the FIN once no write is pending. */
  #closeWhenWritten(): void {
    if (!this.#isWriteClosed || this.#hasPendingWrites) return;
    const { core } = this.#driver;
    if (this.#isClosed) core.tcp.close(this.#tcb, this.#driver.now());
    else core.tcp.closeWrite(this.#tcb);
    this.#driver.touch();
  }

  /** Whether the connection ended with an error. */
  get hasFailed(): boolean {
    return this.#tcb.error !== undefined;
  }

  /** The reason passed to `abort()`, if that ended the connection. */
  get abortReason(): unknown {
    return this.#lazy?.abortReason;
  }

  abort(reason?: unknown): void {
    if (this.#tcb.error === undefined) this.#lazyProperties().abortReason = reason;
    this.#driver.core.tcp.abort(this.#tcb);
    this.#driver.touch();
  }

  [Symbol.dispose](): void {
    void this.close();
  }

  /** Closes, and waits until the connection has ended, with or without an error. */
  async [Symbol.asyncDispose](): Promise<void> {
    await this.close().catch(() => {});
  }

  // ---------------------------------------------------------------- options

  setNoDelay(noDelay = true): void {
    this.#driver.core.tcp.setNoDelay(this.#tcb, noDelay);
    this.#driver.touch();
  }

  /**
   * The reader relays the bytes, so the answer to them does not come in this turn. Acknowledgements wait for that
   * answer, but only for a few milliseconds.
   */
  delayAcks(): void {
    this.#driver.core.tcp.delayAcks(this.#tcb);
  }

  setUserTimeout(ms: number): void {
    if (!(typeof ms === "number" && ms > 0)) {
      throw new TypeError(`setUserTimeout: ${ms} is not a timeout; use milliseconds, more than 0`);
    }
    this.#driver.core.tcp.setUserTimeout(this.#tcb, ms);
  }

  setLinger(seconds?: number): void {
    if (seconds !== undefined && !(typeof seconds === "number" && seconds >= 0)) {
      throw new TypeError(
        `setLinger: ${seconds} is not a linger time; use seconds, 0 or more, or nothing`,
      );
    }
    this.#driver.core.tcp.setLinger(this.#tcb, seconds === undefined ? undefined : seconds * 1000);
  }

  setCork(cork = true): void {
    this.#driver.core.tcp.setCork(this.#tcb, cork);
    this.#driver.touch();
  }

  setKeepAlive(keepAlive = true): void {
    this.#driver.core.tcp.setKeepAlive(this.#tcb, keepAlive, this.#driver.now());
    this.#driver.touch();
  }

  ref(): void {}

  unref(): void {}

  // ---------------------------------------------------------------- events

  /** Runs `callback` when the connection has ended. */
  onEnd(callback: () => void): void {
    this.onClosed({ onClosed: callback });
  }

  /** Calls `listener` when {@link closed} settles. */
  onClosed(listener: ClosedListener): void {
    if (this.#hasEnded) listener.onClosed(this.#endError());
    else this.#closedListeners = withOne(this.#closedListeners, listener);
  }

  removeClosedListener(listener: ClosedListener): void {
    this.#closedListeners = withoutOne(this.#closedListeners, listener);
  }

  /**
   * Runs `callback` when nothing more is expected from the peer either. In profile `local`, a
   * closed connection has ended for the application before the peer's FIN arrives.
   */
  onFinished(callback: () => void): void {
    if (this.#isFinished) callback();
    else this.#lazyProperties().addOnFinished(callback);
  }

  /** Called by the driver when the core has events for this connection. */
  onEvent(): void {
    const tcb = this.#tcb;
    const events = tcb.events;
    tcb.events = 0;
    this.#flags |= events;
    if ((events & TCB_EVENT.OPENED) !== 0) this.#settleOpened();
    if ((events & TCB_EVENT.READABLE) !== 0) {
      this.#serveReaders();
      this.#discardUnread();
      this.#closeWhenAcknowledged();
    }
    if ((events & TCB_EVENT.ENDED) !== 0) this.#end();
    else if ((events & TCB_EVENT.WRITABLE) !== 0) this.#servePendingWrites();
  }

  get #hasOpened(): boolean {
    return (this.#flags & TCB_EVENT.OPENED) !== 0;
  }

  get #hasEnded(): boolean {
    return (this.#flags & TCB_EVENT.ENDED) !== 0;
  }

  get #isFinished(): boolean {
    return this.#hasEnded && this.#tcb.state !== "FIN-WAIT-2";
  }

  get #closesWithPeer(): boolean {
    return (this.#flags & CLOSES_WITH_PEER) !== 0;
  }

  /** Whether writing has ended: a FIN follows the last byte. */
  get #isWriteClosed(): boolean {
    return (this.#flags & WRITE_CLOSED) !== 0;
  }

  /** Whether reading has ended too, by `close()`. */
  get #isClosed(): boolean {
    return (this.#flags & CLOSED) !== 0;
  }

  #end(): void {
    const { error } = this.#tcb;
    if (this.#environment !== undefined) this.#countEnd(this.#environment);
    this.#settleOpened();
    this.#settleClosed();
    this.#pendingWrites?.reject(() => this.#error(error ?? "CONNECTION_RESET"));
    this.#servePendingWrites();
    const listeners = this.#closedListeners;
    this.#closedListeners = undefined;
    if (listeners !== undefined) {
      const reason = this.#endError();
      forEachOf(listeners, (listener) => listener.onClosed(reason));
    }
    if (this.#isFinished) this.#lazy?.runOnFinished();
  }

  #settleOpened(): void {
    if (this.#opened === undefined) return;
    const error = this.#hasOpened ? undefined : this.#tcb.error;
    if (error !== undefined) this.#opened.reject(this.#error(error));
    else if (this.#hasOpened || this.#hasEnded) this.#opened.resolve(socketInfo(this.#tcb));
  }

  #settleClosed(): void {
    if (this.#closed === undefined || !this.#hasEnded) return;
    const error = this.#endError();
    if (error === undefined) this.#closed.resolve(undefined);
    else this.#closed.reject(error);
  }

  #endError(): TcpError | undefined {
    const { error } = this.#tcb;
    return error === undefined ? undefined : this.#error(error);
  }

  #error(code: EndReason): TcpError {
    return new TcpError(
      code,
      describeCloseReason(code, formatHostPort(this.remoteAddr)),
      this.#errorDetails(),
    );
  }

  #errorDetails(): { local: NetAddr; remote: NetAddr; cause: unknown } {
    return { local: this.localAddr, remote: this.remoteAddr, cause: this.abortReason };
  }
}
