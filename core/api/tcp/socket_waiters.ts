/**
 * Who waits on a socket.
 *
 * @module
 */
import { lostWhileWaiting } from "./bytes.ts";
import { Views } from "./views.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** What a reader gets: bytes in an array of its own, a chunk, a step of an iteration. */
export type ReadTarget = Uint8Array | "chunk" | "next chunk" | Views;

/** Somebody waits for bytes. */
export interface Reader {
  readonly target: ReadTarget;
  /**
   * Takes what {@link answerTo} makes of them, or a promise that is rejected: a function for that
   * would be kept as long as somebody waits. Not there while nobody waits.
   */
  resolve: ((answer: never) => void) | undefined;
  /** Who waits behind it: there is nearly always one, and an array would be more to keep. */
  behind: Reader | undefined;
}

/** Views wait in person, as long as they do not already: a record would be one more to make. */
export function readerOf(target: ReadTarget, resolve: (answer: never) => void): Reader {
  if (!(target instanceof Views) || target.resolve !== undefined) {
    return { target, resolve, behind: undefined };
  }
  target.resolve = resolve;
  return target;
}

/** What a reader is told: `count` bytes have come, 0 at the end; `chunk` has them. */
export function answerTo(target: ReadTarget, count: number, chunk: Bytes | undefined): never {
  if (isArray(target)) return (count === 0 ? null : count) as never;
  if (target === "chunk") return chunk as never;
  if (target instanceof Views) target.lent = count;
  const end = { done: true, value: undefined };
  return (chunk === undefined ? end : { done: false, value: chunk }) as never;
}

/** The reader has an array of its own. */
export function isArray(target: ReadTarget): target is Uint8Array {
  return typeof target !== "string" && !(target instanceof Views);
}

/** Somebody waits for room. */
export interface Writer extends PromiseWithResolvers<number> {
  readonly bytes: Uint8Array;
  /** Of `bytes` when they were given: a buffer may be transferred or change its size meanwhile. */
  readonly length: number;
  /** Bytes taken. */
  at: number;
}

/** Waits for room for `bytes` from `at` on. */
export function writerOf(bytes: Uint8Array, at: number): Writer {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  return { bytes, length: bytes.length, at, promise, resolve, reject };
}

/** What it writes, as long as it was when it was given; `undefined`: a part of it is gone. */
export function bytesOf({ bytes, length }: Writer): Uint8Array | undefined {
  if (bytes.length === length) return bytes;
  // A view of a buffer that grows grows with it.
  return bytes.length > length ? bytes.subarray(0, length) : undefined;
}

/** Part of what it writes is gone. Whoever looks at the promise late is told; nobody is brought down. */
export function rejectLost({ promise, reject, at, length }: Writer): void {
  promise.catch(() => {});
  reject(lostWhileWaiting("write", at, length));
}
