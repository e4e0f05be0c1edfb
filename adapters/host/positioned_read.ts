/**
 * Reads files at a position with a single system call.
 *
 * @module
 */
import { readSync } from "node:fs";
import { type ForeignLibrary, LIBC_NAMES, openLibrary } from "../runtime/foreign_library.ts";

interface Functions {
  pread(descriptor: number, target: Uint8Array, size: number, position: number): number;
}

const SIGNATURES = {
  // The size has 64 bits in C, but is never 2 GiB or more here.
  pread: { parameters: ["i32", "buffer", "u32", "i64"], result: "i32" },
} as const;

/** Linux transfers at most this much at a time. */
const MAX_BYTES = 0x7fff_f000;

let libc: ForeignLibrary<Functions> | undefined | null = null;

/**
 * Reads into `target` from `position` of an open file. Returns the number of bytes; 0 at its end.
 *
 * @throws {Error} The kernel's error.
 */
export function readAt(descriptor: number, target: Uint8Array, position: number): number {
  if (libc === null) libc = openLibrary<Functions>(LIBC_NAMES, SIGNATURES);
  const size = Math.min(target.length, MAX_BYTES);
  const count = libc === undefined ? -1 : libc.functions.pread(descriptor, target, size, position);
  // `readSync` retries an interrupted call, and throws the kernel's error.
  return count < 0 ? readSync(descriptor, target, 0, size, position) : count;
}
