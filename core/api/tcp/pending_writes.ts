/**
 * What waits for room in the send buffer of a socket: pending writes, and the listener of a relay.
 *
 * @module
 */
import { lostWhileWaiting } from "./bytes.ts";
import type { WritableListener } from "./connection_listener.ts";

/** The listener is called once there is this much room, in bytes, or half of the buffer if that is less. */
const MIN_ROOM = 32 * 1024;

/** A pending write, or a wait for room without bytes. */
interface Writer extends PromiseWithResolvers<number> {
  readonly bytes: Uint8Array;
  /** Length of `bytes` at the call: the buffer may be transferred or resized meanwhile. */
  readonly length: number;
  /** Room in the send buffer to wait for, in bytes, before any byte is accepted. */
  readonly room: number;
  /** Number of bytes accepted. */
  at: number;
}

const NO_BYTES = new Uint8Array(0);

/** The send buffer of the socket. */
export interface SendBuffer {
  /** Bytes that it has room for. */
  readonly sendRoom: number;
  /** Bytes that it has room for when it is empty. */
  readonly sendLimit: number;
  /** Whether it takes no more bytes: writing has ended. */
  readonly isSendOver: boolean;
  /** Copies bytes into it, from `from` on; returns how many. */
  writeNow(bytes: Uint8Array, from: number): number;
  /** Has the core report when there is more room. */
  awaitRoom(): void;
}

/** The waiters of one socket. A socket has this object only while something waits. */
export class PendingWrites {
  readonly #writers: Writer[] = [];
  /** Called once; one at a time. */
  listener: WritableListener | undefined;

  /** Whether writes are pending: later ones have to wait behind them. */
  get hasWrites(): boolean {
    return this.#writers.length > 0;
  }

  /** Whether nothing waits. */
  get isEmpty(): boolean {
    return this.#writers.length === 0 && this.listener === undefined;
  }

  /** A write of which `at` bytes are accepted already; resolves with its length once all of them are. */
  addWrite(bytes: Uint8Array, at: number): Promise<number> {
    return this.#add(bytes, at, 0);
  }

  /** Resolves when there is room for `room` bytes. */
  addWaitForRoom(room: number): Promise<number> {
    return this.#add(NO_BYTES, 0, room);
  }

  #add(bytes: Uint8Array, at: number, room: number): Promise<number> {
    const { promise, resolve, reject } = Promise.withResolvers<number>();
    this.#writers.push({ bytes, length: bytes.length, room, at, promise, resolve, reject });
    return promise;
  }

  /** Bytes that the send buffer has not accepted yet. */
  unsent(): Uint8Array[] {
    return this.#writers.flatMap((writer) => bytesOf(writer)?.subarray(writer.at) ?? []);
  }

  /** Goes on with the writes, in order, as far as there is room. */
  serveWrites(buffer: SendBuffer): void {
    while (this.#writers.length > 0) {
      const writer = this.#writers[0]!;
      if (buffer.sendRoom < writer.room) return buffer.awaitRoom();
      const bytes = bytesOf(writer);
      if (bytes !== undefined) writer.at += buffer.writeNow(bytes, writer.at);
      if (bytes !== undefined && writer.at < bytes.length) return;
      this.#writers.shift();
      if (bytes === undefined) rejectLost(writer);
      else writer.resolve(bytes.length);
    }
  }

  /** Calls the listener if it {@link mayWrite}. */
  serveListener(buffer: SendBuffer): void {
    const { listener } = this;
    if (listener === undefined) return;
    if (!mayWrite(buffer, this)) return buffer.awaitRoom();
    this.listener = undefined;
    listener.onWritable();
  }

  /** The connection has ended: no write is served any more. */
  reject(error: () => Error): void {
    for (const writer of this.#writers.splice(0)) writer.reject(error());
  }
}

/** Whether there is room for more than a few segments and no write is pending, or the buffer takes no more bytes. */
export function mayWrite(buffer: SendBuffer, pending: PendingWrites | undefined): boolean {
  if (buffer.isSendOver) return true;
  return pending?.hasWrites !== true &&
    buffer.sendRoom >= Math.min(MIN_ROOM, buffer.sendLimit >> 1);
}

/**
 * The bytes of a pending write, with their original length; `undefined` if the array has become
 * shorter.
 */
function bytesOf({ bytes, length }: Writer): Uint8Array | undefined {
  if (bytes.length === length) return bytes;
  // A length-tracking view grows with its buffer.
  return bytes.length > length ? bytes.subarray(0, length) : undefined;
}

/** Rejects a write whose array has become shorter. The rejection never counts as unhandled. */
function rejectLost({ promise, reject, at, length }: Writer): void {
  promise.catch(() => {});
  reject(lostWhileWaiting("write", at, length));
}
