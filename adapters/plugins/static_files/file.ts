/**
 * Opens and reads the files of a folder.
 *
 * @module
 */
import { closeSync, constants, fstatSync, openSync, realpathSync } from "node:fs";
import { join, sep } from "node:path";
import { readAt } from "../../host/positioned_read.ts";
import type { ContentSource } from "../../../plugins/shared/http/prepared_response.ts";
import type { Validators } from "./conditions.ts";
import type { ByteRange } from "../../../plugins/shared/http/byte_range.ts";

/** Errors that are answered as "not found"; all others are faults of the host. */
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

/** An open file. Its holder has to close it. */
export interface OpenFile extends Validators {
  readonly descriptor: number;
  /** Time of the last change of content or attributes, in milliseconds since the Unix epoch. */
  readonly changedMs: number;
  /** Size in bytes. */
  readonly size: number;
}

/**
 * Splits the path of a URL into file names. Returns `undefined` if the path would leave the folder, or
 * if a name is hidden.
 */
export function namesOf(pathname: string, showsHidden: boolean): string[] | undefined {
  let names: string[];
  try {
    names = pathname.split("/").filter((name) => name !== "").map(decodeURIComponent);
  } catch {
    return undefined; // RFC 3986 2.1
  }
  const isWrong = (name: string) =>
    // deno-lint-ignore no-control-regex -- the kernel would truncate a name at a NUL
    name === "." || name === ".." || /[/\\\x00]/.test(name) ||
    (!showsHidden && name.startsWith("."));
  return names.some(isWrong) ? undefined : names;
}

/**
 * Opens the file at the path `names` below `root`. Returns `"folder"` for a folder. Returns
 * `undefined` if there is no such file, it may not be read, it is not a regular file, or a symbolic
 * link leads out of `root`.
 *
 * @throws The kernel's error, if the file may exist nevertheless, such as EMFILE.
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
    // O_NONBLOCK: opening a FIFO must not wait for a writer.
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

/** Reads the whole of a small file and closes it. */
export function readFile({ descriptor, size }: OpenFile): Uint8Array<ArrayBuffer> {
  try {
    const bytes = new Uint8Array(size);
    for (let at = 0; at < size;) at += readPart(descriptor, bytes.subarray(at), at);
    return bytes;
  } finally {
    closeSync(descriptor);
  }
}

/**
 * The content of an open file, or a range of it. It reads synchronously: handing the read to a thread of the
 * runtime costs more than copying the bytes from the page cache.
 */
export class FileSource implements ContentSource {
  readonly #descriptor: number;
  #at = 0;
  #end: number;

  /** Takes over `file`. */
  constructor({ descriptor, size }: OpenFile) {
    this.#descriptor = descriptor;
    this.#end = size;
  }

  /** Limits it to a range; called before anything is read. */
  limit({ start, end }: ByteRange): void {
    this.#at = start;
    this.#end = end;
  }

  get left(): number {
    return this.#end - this.#at;
  }

  read(target: Uint8Array<ArrayBuffer>): number {
    const room = Math.min(target.length, this.left);
    const part = room < target.length ? target.subarray(0, room) : target;
    const count = readPart(this.#descriptor, part, this.#at);
    this.#at += count;
    return count;
  }

  close(): void {
    closeSync(this.#descriptor);
  }
}

/** Reads from `position` of the file into `bytes`: at least one byte, possibly fewer than fit. */
function readPart(descriptor: number, bytes: Uint8Array, position: number): number {
  const count = readAt(descriptor, bytes, position);
  if (count === 0) throw new Error("the file became shorter while it was read");
  return count;
}
