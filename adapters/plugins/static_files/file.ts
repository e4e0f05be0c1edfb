/**
 * Files of a folder.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, readSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import type { Validators } from "./conditions.ts";
import type { ByteRange } from "./range.ts";

/** No such file, one that is not to be read, or none that can be: the rest is a fault of the machine. */
const NOT_FOUND = new Set([
  "ENOENT",
  "ENOTDIR",
  "ELOOP",
  "ENAMETOOLONG",
  "EACCES",
  "EPERM",
  "ENXIO",
  "ENODEV",
  "EINVAL",
]);

/** Bytes that are read at once: long enough that a system call costs nothing beside it. */
const CHUNK_BYTES = 256 * 1024;

/** An open file: who has it closes it. */
export interface OpenFile extends Validators {
  readonly descriptor: number;
  /** When its content or its attributes changed last, in milliseconds of the Unix epoch. */
  readonly changedMs: number;
  /** Bytes. */
  readonly size: number;
}

/**
 * The names that a URL's path leads through. `undefined`: it would leave the folder, or names what is
 * hidden.
 */
export function namesOf(pathname: string, showsHidden: boolean): string[] | undefined {
  let names: string[];
  try {
    names = pathname.split("/").filter((name) => name !== "").map(decodeURIComponent);
  } catch {
    return undefined; // RFC 3986 2.1
  }
  const isWrong = (name: string) =>
    // deno-lint-ignore no-control-regex -- a name with a NUL is cut there by the kernel
    name === "." || name === ".." || /[/\\\x00]/.test(name) ||
    (!showsHidden && name.startsWith("."));
  return names.some(isWrong) ? undefined : names;
}

/**
 * Opens what `names` lead to. `"folder"`: it is one. `undefined`: there is no such file, it may not
 * be read, it is none, or a link leads out of `root`.
 *
 * @throws What the kernel says where there may well be a file.
 */
export function openFile(
  root: string,
  names: readonly string[],
): OpenFile | "folder" | undefined {
  let descriptor: number | undefined;
  try {
    const folder = realpathSync.native(root);
    const path = realpathSync.native(join(folder, ...names));
    if (path !== folder && !path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
      return undefined;
    }
    // Without waiting for whoever may write to a FIFO.
    descriptor = openSync(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = fstatSync(descriptor);
    if (!stat.isFile()) {
      closeSync(descriptor);
      return stat.isDirectory() ? "folder" : undefined;
    }
    const { size, mtimeMs, ctimeMs } = stat;
    const etag = `"${size.toString(16)}-${Math.round(mtimeMs * 1000).toString(16)}"`;
    return { descriptor, size, etag, modified: Math.floor(mtimeMs / 1000), changedMs: ctimeMs };
  } catch (error) {
    if (descriptor !== undefined) closeSync(descriptor);
    const { code = "" } = error as { code?: string };
    if (code === "EISDIR") return "folder";
    if (NOT_FOUND.has(code)) return undefined;
    throw error;
  }
}

/** All of a small file, and closes it. */
export function readFile({ descriptor, size }: OpenFile): Uint8Array<ArrayBuffer> {
  try {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size;) at += readPart(descriptor, bytes, at, at);
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * Streams a range, 256 KiB at a time as they are read, and closes the file. It reads synchronously: what
 * a thread of the runtime's costs is more than the kernel takes to copy what it has in memory.
 */
export function streamFile(
  { descriptor }: OpenFile,
  { start, end }: ByteRange,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = start;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    pull(controller) {
      try {
        const chunk = new Uint8Array(Math.min(CHUNK_BYTES, end - at));
        const count = readPart(descriptor, chunk, 0, at);
        at += count;
        controller.enqueue(count < chunk.length ? chunk.subarray(0, count) : chunk);
        if (at < end) return;
        closeSync(descriptor);
        controller.close();
      } catch (error) {
        closeSync(descriptor);
        controller.error(error);
      }
    },
    cancel: () => closeSync(descriptor),
  }, { highWaterMark: 0 });
}

/** Reads into `bytes` from `offset` on what the file has from `position` on: something, if not all. */
function readPart(
  descriptor: number,
  bytes: Uint8Array,
  offset: number,
  position: number,
): number {
  const count = readSync(descriptor, bytes, offset, bytes.length - offset, position);
  if (count === 0) throw new Error("the file became shorter while it was read");
  return count;
}
