/**
 * Files of a folder.
 *
 * @module
 */
import { constants } from "node:fs";
import { type FileHandle, open, realpath } from "node:fs/promises";
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

const CHUNK_SIZE = 64 * 1024;

/** An open file: who has it closes it. */
export interface OpenFile extends Validators {
  readonly handle: FileHandle;
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
export async function openFile(
  root: string,
  names: readonly string[],
): Promise<OpenFile | "folder" | undefined> {
  let handle: FileHandle | undefined;
  try {
    const folder = await realpath(root);
    const path = await realpath(join(folder, ...names));
    if (path !== folder && !path.startsWith(folder.endsWith(sep) ? folder : folder + sep)) {
      return undefined;
    }
    // Without waiting for whoever may write to a FIFO.
    handle = await open(path, constants.O_RDONLY | constants.O_NONBLOCK);
    const stat = await handle.stat();
    if (!stat.isFile()) {
      await handle.close();
      return stat.isDirectory() ? "folder" : undefined;
    }
    const { size, mtimeMs } = stat;
    const etag = `"${size.toString(16)}-${Math.round(mtimeMs * 1000).toString(16)}"`;
    return { handle, size, etag, modified: Math.floor(mtimeMs / 1000) };
  } catch (error) {
    await handle?.close().catch(() => {});
    const { code = "" } = error as { code?: string };
    if (code === "EISDIR") return "folder";
    if (NOT_FOUND.has(code)) return undefined;
    throw error;
  }
}

/** Streams a range, 64 KiB at a time as they are read, and closes the file. */
export function streamFile(
  { handle }: OpenFile,
  { start, end }: ByteRange,
): ReadableStream<Uint8Array<ArrayBuffer>> {
  let at = start;
  return new ReadableStream<Uint8Array<ArrayBuffer>>({
    async pull(controller) {
      try {
        if (at < end) {
          const chunk = new Uint8Array(Math.min(CHUNK_SIZE, end - at));
          const { bytesRead } = await handle.read(chunk, 0, chunk.length, at);
          if (bytesRead === 0) throw new Error("the file became shorter while it was read");
          at += bytesRead;
          controller.enqueue(chunk.subarray(0, bytesRead));
        }
        if (at < end) return;
        await handle.close();
        controller.close();
      } catch (error) {
        await handle.close().catch(() => {});
        controller.error(error);
      }
    },
    cancel: () => handle.close(),
  }, { highWaterMark: 0 });
}
