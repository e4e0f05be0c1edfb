/**
 * Who waits on a socket.
 *
 * @module
 */
import type { TcpError } from "./errors.ts";
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
export interface Writer {
  readonly bytes: Uint8Array;
  at: number;
  resolve(count: number): void;
  reject(error: TcpError): void;
}
