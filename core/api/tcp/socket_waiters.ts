/**
 * Pending reads and writes of a socket.
 *
 * @module
 */
import { lostWhileWaiting } from "./bytes.ts";
import { type Reader, type ReadTarget, Views } from "./views.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/**
 * Makes the record of a pending read. `Views` serve as their own record, unless a read of theirs is
 * pending already, which saves an object.
 */
export function readerOf(target: ReadTarget, resolve: (answer: never) => void): Reader {
  if (!(target instanceof Views) || target.resolve !== undefined) {
    return { target, resolve, behind: undefined };
  }
  target.resolve = resolve;
  return target;
}

/** Appends a pending read to the list that starts with `first`; returns the start of the list. */
export function appendReader(first: Reader | undefined, reader: Reader): Reader {
  if (first === undefined) return reader;
  let last = first;
  while (last.behind !== undefined) last = last.behind;
  last.behind = reader;
  return first;
}

/** The result of a read of `count` bytes, 0 at the end; `chunk` holds them. */
export function answerTo(target: ReadTarget, count: number, chunk: Bytes | undefined): never {
  if (isArray(target)) return (count === 0 ? null : count) as never;
  if (target === "chunk") return chunk as never;
  if (target instanceof Views) target.lent = count;
  const end = { done: true, value: undefined };
  return (chunk === undefined ? end : { done: false, value: chunk }) as never;
}

/** Whether the caller has provided an array. */
export function isArray(target: ReadTarget): target is Uint8Array {
  return typeof target !== "string" && !(target instanceof Views);
}

/** A pending write, which waits for room in the send buffer. */
export interface Writer extends PromiseWithResolvers<number> {
  readonly bytes: Uint8Array;
  /** Length of `bytes` at the call: the buffer may be transferred or resized meanwhile. */
  readonly length: number;
  /** Room in the send buffer to wait for, in bytes, before any byte is accepted. */
  readonly room: number;
  /** Number of bytes accepted. */
  at: number;
}

/** Makes the record of a write of `bytes` that waits for room from `at` on. */
export function writerOf(bytes: Uint8Array, at: number, room: number = 0): Writer {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  return { bytes, length: bytes.length, room, at, promise, resolve, reject };
}

/**
 * The bytes of a pending write, with their original length; `undefined` if the array has become
 * shorter.
 */
export function bytesOf({ bytes, length }: Writer): Uint8Array | undefined {
  if (bytes.length === length) return bytes;
  // A length-tracking view grows with its buffer.
  return bytes.length > length ? bytes.subarray(0, length) : undefined;
}

/** Rejects a write whose array has become shorter. The rejection never counts as unhandled. */
export function rejectLost({ promise, reject, at, length }: Writer): void {
  promise.catch(() => {});
  reject(lostWhileWaiting("write", at, length));
}
