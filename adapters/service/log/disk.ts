/**
 * Access to the disk that log files are on. All calls except those at the start and the end of the process are
 * asynchronous, so that a disk that does not respond never blocks the thread. On Deno `node:fs` writes synchronously
 * even where it returns a promise, so `Deno.open` is used there.
 *
 * @module
 */
import { closeSync, constants, fstat, fstatSync, open, openSync, write, writeSync } from "node:fs";
import { realpath, rename, stat } from "node:fs/promises";
import { promisify } from "node:util";
import { runtimeName } from "../../runtime/runtime.ts";

/** The attributes of a file. */
export interface FileFacts {
  readonly size: number;
  readonly inode: number;
  /** Whether it is a regular file, and not a device or a pipe. */
  readonly isFile: boolean;
}

/** An open file; everything is written at its end. */
export interface AppendedFile {
  /** Writes some of the bytes from `at` on; resolves with their number. */
  write(bytes: Uint8Array, at: number): Promise<number>;
  facts(): Promise<FileFacts>;
  close(): void;
  /** Writes synchronously, at the end of the process. */
  writeNow(bytes: Uint8Array): void;
  /** As {@link facts}, for the start and the end of the process. */
  factsNow(): FileFacts;
}

/** A disk. */
export interface Disk {
  /**
   * Opens a file, at the start of the process.
   *
   * @throws {Error} It cannot be opened, or is a FIFO without a reader.
   */
  openNow(path: string): AppendedFile;
  /** Opens a file; with `truncate` an empty one. */
  open(path: string, truncate?: boolean): Promise<AppendedFile>;
  /** The attributes of the file at a path; `undefined` if there is none. */
  factsOf(path: string): Promise<FileFacts | undefined>;
  rename(from: string, to: string): Promise<void>;
  realPath(path: string): Promise<string>;
}

const MODE = 0o640;
const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants;
const APPEND_AT_ONCE = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK;

interface Stats {
  readonly size: number;
  readonly ino: number | null;
  isFile: (() => boolean) | boolean;
}

function factsFrom(stats: Stats): FileFacts {
  const isFile = typeof stats.isFile === "function" ? stats.isFile() : stats.isFile;
  return { size: stats.size, inode: stats.ino ?? 0, isFile };
}

/** Checks that a FIFO has a reader: opening it without O_NONBLOCK would wait for one. */
function requireReader(path: string): void {
  closeSync(openSync(path, APPEND_AT_ONCE, MODE));
}

async function isThere<T>(found: Promise<T>): Promise<T | undefined> {
  try {
    return await found;
  } catch (error) {
    if ((error as { code?: string }).code === "ENOENT") return undefined;
    throw error;
  }
}

const openAsync = promisify(open);
const fstatAsync = promisify(fstat);
const writeAsync = promisify(write);

function nodeFile(fd: number): AppendedFile {
  return {
    write: async (bytes, at) => (await writeAsync(fd, bytes, at, bytes.length - at)).bytesWritten,
    facts: async () => factsFrom(await fstatAsync(fd)),
    close: () => closeSync(fd),
    writeNow: (bytes) => void writeSync(fd, bytes),
    factsNow: () => factsFrom(fstatSync(fd)),
  };
}

const common = {
  factsOf: async (path: string) => {
    const stats = await isThere(stat(path));
    return stats && factsFrom(stats);
  },
  rename,
  realPath: realpath,
};

const NODE_DISK: Disk = {
  ...common,
  openNow(path) {
    requireReader(path);
    return nodeFile(openSync(path, "a", MODE));
  },
  async open(path, truncate) {
    // For a FIFO, this waits for a reader in a thread of the runtime.
    return nodeFile(await openAsync(path, truncate ? "w" : "a", MODE));
  },
};

interface DenoFile {
  write(bytes: Uint8Array): Promise<number>;
  writeSync(bytes: Uint8Array): number;
  stat(): Promise<Stats>;
  statSync(): Stats;
  close(): void;
}

interface DenoOpenOptions {
  readonly write: true;
  readonly create: true;
  readonly mode: number;
  readonly append?: true;
  readonly truncate?: true;
}

declare const Deno: {
  open(path: string, options: DenoOpenOptions): Promise<DenoFile>;
  openSync(path: string, options: DenoOpenOptions): DenoFile;
};

function denoFile(file: DenoFile): AppendedFile {
  return {
    write: (bytes, at) => file.write(bytes.subarray(at)),
    facts: async () => factsFrom(await file.stat()),
    close: () => file.close(),
    writeNow: (bytes) => void file.writeSync(bytes),
    factsNow: () => factsFrom(file.statSync()),
  };
}

const DENO_DISK: Disk = {
  ...common,
  openNow(path) {
    requireReader(path);
    return denoFile(Deno.openSync(path, { write: true, create: true, append: true, mode: MODE }));
  },
  async open(path, truncate) {
    const how = truncate ? { truncate } as const : { append: true } as const;
    return denoFile(await Deno.open(path, { write: true, create: true, mode: MODE, ...how }));
  },
};

/** The disk of the host. */
export const HOST_DISK: Disk = runtimeName() === "deno" ? DENO_DISK : NODE_DISK;
