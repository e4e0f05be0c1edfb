/**
 * Detects whether a file has changed, with one system call.
 *
 * @module
 */
import { statSync } from "node:fs";
import { type ForeignLibrary, LIBC_NAMES, openLibrary } from "../runtime/foreign_library.ts";

interface Functions {
  statx(folder: number, path: Uint8Array, flags: number, mask: number, result: Uint8Array): number;
}

/** Relative paths are relative to the working directory. */
const AT_FDCWD = -100;
const STATX_BASIC_STATS = 0x7ff;
/** `struct statx` (statx(2)), as 32-bit words. */
const STATX_WORDS = 64;
/** The compared words: mode, inode and size; the times of change and modification; the device. */
const COMPARED: readonly (readonly [from: number, to: number])[] = [[7, 12], [24, 31], [34, 36]];

let libc: ForeignLibrary<Functions> | undefined | null = null;
const result = new Uint32Array(STATX_WORDS);
const resultBytes = new Uint8Array(result.buffer);

/** The state of a path at one moment: which file it leads to, if any, and the file's attributes. */
export class FileVersion {
  readonly #path: string;
  readonly #encoded: Uint8Array | undefined;
  #words: Uint32Array | undefined;
  #text: string | undefined;

  /** Reads the current state. */
  constructor(path: string) {
    this.#path = path;
    if (libc === null) libc = openLibrary<Functions>(LIBC_NAMES, SIGNATURES);
    if (libc === undefined) {
      this.#text = describe(path);
    } else {
      this.#encoded = new TextEncoder().encode(`${path}\0`);
      this.#words = statx(libc, this.#encoded) ? result.slice() : undefined;
    }
  }

  /**
   * Whether the path still leads to the same file (by device and inode) with the same size, mode and
   * times, or still to no file.
   */
  get isCurrent(): boolean {
    if (!libc) return this.#text === describe(this.#path);
    const exists = statx(libc, this.#encoded!);
    const words = this.#words;
    if (!exists || words === undefined) return exists === (words !== undefined);
    for (const [from, to] of COMPARED) {
      for (let at = from; at < to; at++) if (result[at] !== words[at]) return false;
    }
    return true;
  }
}

const SIGNATURES = {
  statx: { parameters: ["i32", "buffer", "i32", "u32", "buffer"], result: "i32" },
} as const;

function statx({ functions }: ForeignLibrary<Functions>, path: Uint8Array): boolean {
  return functions.statx(AT_FDCWD, path, 0, STATX_BASIC_STATS, resultBytes) === 0;
}

function describe(path: string): string | undefined {
  try {
    const { dev, ino, mode, size, mtimeNs, ctimeNs } = statSync(path, { bigint: true });
    return [dev, ino, mode, size, mtimeNs, ctimeNs].join(" ");
  } catch {
    return undefined;
  }
}
