/**
 * TCP and Unix connections of the host's kernel, used through foreign functions.
 *
 * @module
 */
import { TcpError } from "../../../core/api/errors.ts";
import { Deferred } from "../../../core/api/runtime/deferred.ts";
import { forEachOf, type SmallList, withOne } from "../../../core/api/runtime/small_list.ts";
import { bytesFault, lostWhileWaiting, requireBytes } from "../../../core/api/tcp/bytes.ts";
import type {
  ClosedListener,
  ReadableListener,
} from "../../../core/api/tcp/connection_listener.ts";
import type { MovableConnection } from "../../../plugins/shared/host_network.ts";
import type { NonBlockingReader } from "../../../plugins/shared/relay.ts";
import {
  type Bytes,
  EAGAIN,
  EINTR,
  EPOLLRDHUP,
  MSG_NOSIGNAL,
  POLLERR,
  POLLHUP,
  POLLIN,
  POLLOUT,
  SHUT_WR,
} from "../../runtime/libc/linux.ts";
import { hostError } from "../connection.ts";
import { type HostSocket, HostSocketBase, readFault } from "../host_socket.ts";
import type { ReadyOwner } from "./event_set.ts";
import type { NativeSockets } from "./sockets.ts";

/** How long a closed connection still receives and discards data of the peer, in milliseconds. */
const LINGER_MS = 2000;
/**
 * Maximum number of bytes that a connection reads in one turn of the event set, so that others get
 * their turn.
 */
const TURN_BYTES = 512 * 1024;
/**
 * Maximum size of a `recv` if it is unknown how much the other side of the relay accepts, since bytes that it does
 * not accept have to be copied.
 */
const CHUNK_SIZE = 64 * 1024;

/** The kernel may have bytes, or the peer's FIN. */
const READABLE = 1 << 0;
/** The kernel may have room. */
const WRITABLE = 1 << 1;
/** The peer's FIN has arrived; there may be bytes before it. */
const FIN_ARRIVED = 1 << 2;
/** The peer's FIN was read. */
const ENDED = 1 << 3;
/** `closeWrite()` or `close()` was called. */
const WRITE_CLOSED = 1 << 4;
/** The FIN was sent. */
const SHUT = 1 << 5;
/** `close()` was called: what the peer sends is discarded. */
const CLOSED = 1 << 6;
/** The descriptor is closed. */
const RELEASED = 1 << 7;
/** The event set will call `onReady` again in the next turn. */
const AGAIN = 1 << 8;
/** The kernel reports an error, which a reader may not have received yet. */
const BROKEN = 1 << 9;
/** `hold()` was called: the descriptor may belong to another process. */
const HELD = 1 << 10;

interface Reader {
  readonly target: Uint8Array;
  resolve(count: number | null): void;
  reject(error: unknown): void;
}

interface Writer extends PromiseWithResolvers<number> {
  readonly bytes: Uint8Array;
  readonly length: number;
  at: number;
}

/** Options of a {@link NativeConnection}. */
export interface NativeConnectionOptions {
  /** How long a closed connection still receives data of the peer, in milliseconds. Default 2000. */
  readonly lingerMs?: number | undefined;
  /** Whether another process has passed the socket, which is not used before {@link NativeConnection.resume}. */
  readonly isHeld?: boolean | undefined;
}

/** A connected socket. Bytes wait in the kernel until they are read: an idle connection has no buffer. */
export class NativeConnection extends HostSocketBase
  implements HostSocket, MovableConnection, NonBlockingReader, ReadyOwner {
  readonly #sockets: NativeSockets;
  readonly #fd: number;
  readonly #lingerMs: number;
  #bits = WRITABLE;
  #failure: Error | undefined;
  #reader: Reader | undefined;
  /** Set by {@link whenReadable}. */
  #readableListener: ReadableListener | undefined;
  /** Length of the view that {@link tryView} has returned. */
  #lent = 0;
  /** What the other side of a relay did not accept at once. */
  #rest: Bytes | undefined;
  /** Pending writes; the first one is in progress. */
  #writers: Writer[] | undefined;
  /** Waits for the FIN to be sent. */
  #fin: Deferred<void> | undefined;
  #closed: Deferred<void> | undefined;
  #closedListeners: SmallList<ClosedListener>;
  #onRtt: ((milliseconds: number) => void) | undefined;
  #lingerTimer: ReturnType<typeof setTimeout> | undefined;
  #turn = 0;
  #turnBytes = 0;

  /** Takes over a connected descriptor, which is in the event set unless it is held. */
  constructor(sockets: NativeSockets, fd: number, options: NativeConnectionOptions = {}) {
    super();
    this.#sockets = sockets;
    this.#fd = fd;
    this.#lingerMs = options.lingerMs ?? LINGER_MS;
    if (options.isHeld) this.#bits |= HELD;
  }

  /** The descriptor, for another process; `undefined` if it is closed. */
  get descriptor(): number | undefined {
    return this.#has(RELEASED) ? undefined : this.#fd;
  }

  /** Resolves when both directions have ended; rejects when the connection broke or was aborted. */
  get closed(): Promise<void> {
    if (this.#closed === undefined) {
      this.#closed = new Deferred();
      if (this.#has(RELEASED)) this.#settleClosed(this.#closed);
    }
    return this.#closed.promise;
  }

  onClosed(listener: ClosedListener): void {
    if (this.#has(RELEASED)) listener.onClosed(this.#failure);
    else this.#closedListeners = withOne(this.#closedListeners, listener);
  }

  // ---------------------------------------------------------------- reading

  /**
   * Fills `p`; resolves with the byte count, or with `null` after the peer's FIN. One read at a time.
   *
   * @throws {TcpError} The connection broke.
   * @throws {TypeError} `p` is not a `Uint8Array`, or another read is pending.
   */
  read(p: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    const fault = readFault(p, this.#reader !== undefined);
    if (fault !== undefined) return Promise.reject(fault);
    if (p.byteLength === 0) return Promise.resolve(0);
    try {
      const count = this.#readNow(p);
      if (count !== undefined) return Promise.resolve(count);
    } catch (error) {
      return Promise.reject(error);
    }
    return new Promise((resolve, reject) => this.#reader = { target: p, resolve, reject });
  }

  #readNow(p: Uint8Array): number | null | undefined {
    if (this.#rest === undefined) return this.#receiveNow(p as Bytes);
    const count = Math.min(p.length, this.#rest.length);
    p.set(this.#rest.subarray(0, count));
    this.#releaseRest(count);
    return count;
  }

  /** Receives without waiting; `undefined` if nothing has arrived or this turn's share is used up. */
  #receiveNow(p: Bytes): number | null | undefined {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#has(ENDED | CLOSED)) return null;
    if (!this.#has(READABLE) || !this.#hasTurn()) return undefined;
    const count = this.#receive(p);
    if (this.#failure !== undefined) throw this.#failure;
    return count;
  }

  /**
   * Receives into an array that all connections share, and returns a view of it; {@link consume} copies the bytes
   * that were not consumed.
   *
   * @throws {TcpError} The connection broke.
   */
  tryView(room: number = 0): Bytes | null | undefined {
    if (this.#rest !== undefined) return this.#rest;
    const { received } = this.#sockets;
    const size = Math.min(room > 0 ? room : CHUNK_SIZE, received.length);
    const count = this.#receiveNow(received.subarray(0, size));
    if (typeof count !== "number") return count;
    this.#lent = count;
    return received.subarray(0, count);
  }

  consume(count: number): void {
    if (this.#rest !== undefined) return this.#releaseRest(count);
    const { received } = this.#sockets;
    if (count < this.#lent) this.#rest = received.slice(count, this.#lent);
    this.#lent = 0;
  }

  #releaseRest(count: number): void {
    const rest = this.#rest!;
    this.#rest = count < rest.length ? rest.subarray(count) : undefined;
  }

  whenReadable(listener: ReadableListener): boolean {
    const isReady = this.#failure !== undefined || this.#rest !== undefined ||
      this.#has(ENDED | CLOSED) || this.#has(READABLE) && !this.#has(AGAIN);
    if (!isReady) this.#readableListener = listener;
    return !isReady;
  }

  /** Whether the connection may still receive in this turn; otherwise the event set calls again in the next one. */
  #hasTurn(): boolean {
    const { events } = this.#sockets;
    if (this.#turn !== events.turn) {
      this.#turn = events.turn;
      this.#turnBytes = 0;
    }
    if (this.#turnBytes < TURN_BYTES) return true;
    this.#callAgain();
    return false;
  }

  #callAgain(): void {
    if (this.#has(AGAIN)) return;
    this.#bits |= AGAIN;
    this.#sockets.events.again(this);
  }

  #receive(p: Bytes): number | null | undefined {
    const { host } = this.#sockets;
    for (;;) {
      const count = host.libc.recv(this.#fd, p, p.length, 0);
      if (count > 0) {
        // A short read means that the kernel has no more bytes. A FIN is reported only once, and must still be read,
        // as 0 bytes.
        if (count < p.length && !this.#has(FIN_ARRIVED | BROKEN)) this.#bits &= ~READABLE;
        this.#turnBytes += count;
        return count;
      }
      if (count === 0) {
        this.#bits = (this.#bits | ENDED) & ~READABLE;
        if (this.#has(SHUT)) this.#release();
        return null;
      }
      const errno = host.errno();
      if (errno === EINTR) continue;
      this.#bits &= ~READABLE;
      if (errno !== EAGAIN) this.#fail(hostError(this.#sockets.error("read", errno)));
      return undefined;
    }
  }

  #serveReader(): void {
    this.#callReader();
    const reader = this.#reader;
    if (reader === undefined) return;
    const { target } = reader;
    // If the array's buffer was transferred meanwhile, the next reader gets the bytes.
    const count = target.byteLength === 0 ? 0 : this.#receive(target as Bytes);
    if (count === undefined || this.#reader !== reader) return;
    this.#reader = undefined;
    reader.resolve(count);
  }

  #callReader(): void {
    const listener = this.#readableListener;
    this.#readableListener = undefined;
    listener?.onReadable();
  }

  // ---------------------------------------------------------------- writing

  /**
   * Resolves with `p.byteLength` once the kernel has accepted all of it; until then `p` must not be changed.
   *
   * @throws {TcpError} The connection broke.
   */
  write(p: Uint8Array<ArrayBufferLike>): Promise<number> {
    const fault = bytesFault("write", p);
    if (fault !== undefined) return Promise.reject(fault);
    const at = this.tryWrite(p);
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#has(WRITE_CLOSED)) {
      return Promise.reject(new TcpError("CLOSING", "the socket has been closed for writing"));
    }
    if (at === p.byteLength) return Promise.resolve(at);
    const writer = { bytes: p, length: p.byteLength, at, ...Promise.withResolvers<number>() };
    (this.#writers ??= []).push(writer);
    return writer.promise;
  }

  /**
   * Writes as much of `p` as the kernel has room for, and returns the number of bytes; 0 as well while other
   * writes wait, and after the end of writing.
   *
   * @throws {TypeError} `p` is not a `Uint8Array`.
   */
  tryWrite(p: Uint8Array<ArrayBufferLike>): number {
    requireBytes("tryWrite", p);
    if (!this.#has(WRITABLE) || this.#has(WRITE_CLOSED | RELEASED | HELD)) return 0;
    return this.#writers === undefined && p.byteLength > 0 ? this.#send(p as Bytes) : 0;
  }

  /** Returns the number of bytes that the kernel has accepted. */
  #send(p: Bytes): number {
    const { host } = this.#sockets;
    for (;;) {
      const count = host.libc.send(this.#fd, p, p.length, MSG_NOSIGNAL);
      if (count === p.length) return count;
      if (count >= 0) {
        this.#bits &= ~WRITABLE;
        return count;
      }
      const errno = host.errno();
      if (errno === EINTR) continue;
      this.#bits &= ~WRITABLE;
      if (errno !== EAGAIN) this.#fail(hostError(this.#sockets.error("write", errno)));
      return 0;
    }
  }

  #serveWriters(): void {
    const writers = this.#writers;
    while (writers !== undefined && writers.length > 0) {
      const writer = writers[0]!;
      const { bytes, length } = writer;
      if (bytes.byteLength < length) {
        writers.shift();
        writer.reject(lostWhileWaiting("write", writer.at, length));
        continue;
      }
      writer.at += this.#send(bytes.subarray(writer.at, length) as Bytes);
      if (this.#has(RELEASED) || writer.at < length) return;
      writers.shift();
      writer.resolve(length);
    }
    this.#writers = undefined;
    if (this.#has(WRITE_CLOSED)) this.#shutDown();
  }

  // ---------------------------------------------------------------- closing

  /**
   * Sends FIN after everything written; reading continues.
   *
   * @throws {TcpError} The connection broke.
   */
  closeWrite(): Promise<void> {
    this.#endWriting();
    if (this.#failure !== undefined) return Promise.reject(this.#failure);
    if (this.#has(SHUT | RELEASED)) return Promise.resolve();
    this.#fin ??= new Deferred();
    return this.#fin.promise;
  }

  #endWriting(): void {
    if (this.#has(WRITE_CLOSED)) return;
    this.#bits |= WRITE_CLOSED;
    if (this.#writers === undefined) this.#shutDown();
  }

  #shutDown(): void {
    if (this.#has(SHUT | RELEASED)) return;
    this.#bits |= SHUT;
    this.#sockets.host.libc.shutdown(this.#fd, SHUT_WR);
    this.#fin?.resolve();
    if (this.#has(ENDED)) this.#release();
  }

  /**
   * Ends reading and writing; data already written is still delivered. Unread data from the peer would make
   * the kernel reset the connection (RFC 2525 2.17), so it is read and discarded until the peer's FIN, for at
   * most two seconds.
   */
  close(): void {
    if (this.#has(CLOSED | RELEASED)) return;
    this.#bits |= CLOSED;
    const reader = this.#reader;
    this.#reader = undefined;
    this.#rest = undefined;
    reader?.resolve(null);
    this.#callReader();
    this.#endWriting();
    this.#discard();
    if (this.#has(RELEASED)) return;
    this.#lingerTimer = setTimeout(() => this.#release(), this.#lingerMs);
  }

  #discard(): void {
    while (this.#has(READABLE) && !this.#has(RELEASED) && this.#hasTurn()) {
      this.#receive(this.#sockets.received);
    }
  }

  /** Sends RST at once; all buffered data is dropped (RFC 9293 3.10.5). */
  abort(reason?: unknown): void {
    // Another process may have the socket; SO_LINGER would reset its connection too.
    if (this.#has(RELEASED | HELD)) return;
    this.#sockets.setReset(this.#fd);
    this.#fail(
      new TcpError("CONNECTION_ABORTED", "the connection was aborted", { cause: reason }),
    );
  }

  #fail(error: Error): void {
    if (this.#has(RELEASED)) return;
    this.#failure = error;
    this.#release();
  }

  /** Calls `callback` with the smoothed round-trip time when the connection ends; not for Unix sockets. */
  onRtt(callback: (milliseconds: number) => void): void {
    this.#onRtt = callback;
  }

  #release(): void {
    if (this.#has(RELEASED)) return;
    this.#bits |= RELEASED;
    clearTimeout(this.#lingerTimer);
    const rttMs = this.#onRtt === undefined ? undefined : this.#sockets.rttMs(this.#fd);
    if (rttMs !== undefined) this.#onRtt!(rttMs);
    this.#sockets.close(this.#fd);
    const error = this.#failure;
    for (const writer of this.#writers ?? []) {
      writer.reject(error ?? new TcpError("CLOSING", "the socket was closed"));
    }
    this.#writers = undefined;
    if (error === undefined) this.#fin?.resolve();
    else this.#fin?.reject(error);
    const reader = this.#reader;
    this.#reader = undefined;
    if (error === undefined) reader?.resolve(null);
    else reader?.reject(error);
    this.#callReader();
    if (this.#closed !== undefined) this.#settleClosed(this.#closed);
    const listeners = this.#closedListeners;
    this.#closedListeners = undefined;
    forEachOf(listeners, (listener) => listener.onClosed(error));
  }

  #settleClosed(closed: Deferred<void>): void {
    if (this.#failure === undefined) closed.resolve();
    else closed.reject(this.#failure);
  }

  // ---------------------------------------------------------------- moving

  get acceptedOfWrite(): number {
    return this.#writers?.[0]?.at ?? 0;
  }

  /**
   * Stops reading and writing, so that another process can continue the connection. Bytes that were read and not
   * consumed are not read again, and pending writes stay pending.
   */
  hold(): void {
    if (this.#has(RELEASED | HELD)) return;
    this.#bits |= HELD;
    const listeners = this.#closedListeners;
    this.#closedListeners = this.#readableListener = this.#onRtt = undefined;
    this.#reader = this.#writers = this.#rest = undefined;
    // Both processes share the open file description: the kernel would report its events here too.
    this.#sockets.events.remove(this.#fd);
    forEachOf(listeners, (listener) => listener.onHeld?.());
  }

  /** Uses the socket again, or for the first time in this process. */
  resume(): void {
    if (!this.#has(HELD)) return;
    // It is unknown what the other process did, so readiness and half-closes are detected again.
    this.#bits =
      this.#bits & ~(HELD | READABLE | FIN_ARRIVED | ENDED | WRITE_CLOSED | SHUT | AGAIN) |
      WRITABLE;
    if (this.#sockets.events.add(this.#fd, this)) return;
    this.#fail(hostError(this.#sockets.error("epoll_ctl")));
  }

  /** Closes the descriptor here; the connection ends if no other process has it. */
  release(): void {
    if (!this.#has(RELEASED) && this.#has(HELD)) this.#release();
  }

  // ---------------------------------------------------------------- events

  onReady(events: number): void {
    this.#bits &= ~AGAIN;
    if (this.#has(RELEASED | HELD)) return;
    if (events & POLLOUT) {
      this.#bits |= WRITABLE;
      if (this.#writers !== undefined) this.#serveWriters();
    }
    if (events & (EPOLLRDHUP | POLLHUP)) this.#bits |= FIN_ARRIVED;
    if (events & (POLLIN | POLLERR | EPOLLRDHUP | POLLHUP)) this.#bits |= READABLE;
    if (this.#has(CLOSED)) this.#discard();
    else if (this.#has(READABLE)) this.#read(events);
  }

  /** Bytes that have arrived before a reset are still read, if there is a reader for them. */
  #read(events: number): void {
    const isBroken = this.#has(BROKEN);
    if (events & POLLERR) this.#bits |= BROKEN;
    if (this.#reader !== undefined || this.#readableListener !== undefined) this.#serveReader();
    else if (isBroken) this.#takeError();
    if (this.#has(BROKEN) && !this.#has(RELEASED)) this.#callAgain();
  }

  #takeError(): void {
    const errno = this.#sockets.takeError(this.#fd);
    this.#bits &= ~BROKEN;
    if (errno !== 0) this.#fail(hostError(this.#sockets.error("read", errno)));
  }

  #has(bits: number): boolean {
    return (this.#bits & bits) !== 0;
  }
}
