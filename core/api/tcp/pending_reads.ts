/**
 * Pending reads of a socket.
 *
 * @module
 */
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
