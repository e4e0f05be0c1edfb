import { closeSync, constants, openSync, statSync } from "node:fs";
import { type FileHandle, open, rename } from "node:fs/promises";
import process from "node:process";
import { requireInteger } from "../integer_option.ts";
import type { WriteBlock } from "./pcapng/recording.ts";

/** Options of {@link captureFile}. */
export interface CaptureFileOptions {
  /** Size in bytes at which a new file is begun, at least 4096. Default Infinity. */
  maxBytes?: number;
  /** Number of files kept: the current `FILE`, and `FILE.1`, `FILE.2`, ... Default 10. */
  files?: number;
  /**
   * Maximum number of bytes waiting to be written, 4096 bytes to 1 GiB; beyond that, packets are
   * skipped. Default 16 MiB.
   */
  maxWaitingBytes?: number;
  /** Called once if the file cannot be written; the recording has ended then. */
  onError?: (error: unknown) => void;
}

/**
 * Writes a recording of {@link pcapng} to a file, a FIFO or stdout, without delaying the link.
 *
 * Files rotate by size: at most `files` times `maxBytes` are on disk, and each file can be read by
 * itself. A FIFO is opened once it has a reader, so that `mkfifo live; wireshark -k -i live` shows
 * packets live; `"-"` is stdout, for `| wireshark -k -i -`. A reader that is too slow misses
 * packets, which are counted in `dropped`.
 *
 * @throws {RangeError} An option is out of range.
 *
 * @example
 * ```ts
 * import { captureFile, linkPair, pcapng } from "@berth/berth/links";
 *
 * const [left, right] = linkPair();
 * await using watched = pcapng(left);
 * await using file = captureFile("/dev/null");
 * watched.record(file.write);
 * await right.close();
 * ```
 */
export function captureFile(path: string, options: CaptureFileOptions = {}): CaptureFile {
  return new CaptureFile(path, options);
}

const STDOUT = "-";
const MIN_FILE_BYTES = 4096;
/** A gibibyte. */
const MAX_WAITING_BYTES = 2 ** 30;
/** Blocks are joined up to this size. */
const CHUNK_BYTES = 262_144;

/**
 * A capture file being written; created by {@link captureFile}.
 *
 * @example
 * ```ts
 * import { type CaptureFile, captureFile, linkPair, pcapng } from "@berth/berth/links";
 *
 * const [left, right] = linkPair();
 * await using watched = pcapng(left);
 * await using file: CaptureFile = captureFile("/dev/null", { maxWaitingBytes: 65_536 });
 * watched.record(file.write, { filter: "tcp port 80" });
 * await right.close();
 * if (file.dropped > 0) console.log(`${file.dropped} blocks were not written`);
 * ```
 */
export class CaptureFile implements AsyncDisposable {
  /** Callback for {@link CapturedLink.record}. Throws once the file cannot be written. */
  readonly write: WriteBlock = (block) => this.#put(block);
  /** Number of blocks dropped because packets arrived faster than they could be written. */
  dropped = 0;
  readonly #path: string;
  #maxBytes: number;
  readonly #files: number;
  readonly #maxWaitingBytes: number;
  readonly #onError: ((error: unknown) => void) | undefined;
  #waiting: Uint8Array<ArrayBuffer>[] = [];
  #waitingBytes = 0;
  /** The header at the start of every file. */
  #header: Uint8Array<ArrayBuffer> | undefined;
  #handle: FileHandle | undefined;
  #isOpening = false;
  #size = 0;
  #pumping: Promise<void> | undefined;
  #failure: unknown;
  #closed = false;

  /** Called by {@link captureFile}. */
  constructor(path: string, options: CaptureFileOptions) {
    const { maxBytes = Infinity, files = 10, maxWaitingBytes = 16 * 2 ** 20, onError } = options;
    if (maxBytes !== Infinity) {
      requireInteger("maxBytes", maxBytes, MIN_FILE_BYTES, Number.MAX_SAFE_INTEGER);
    }
    requireInteger("files", files, 1, 10_000);
    requireInteger("maxWaitingBytes", maxWaitingBytes, MIN_FILE_BYTES, MAX_WAITING_BYTES);
    this.#path = path;
    this.#maxBytes = path === STDOUT ? Infinity : maxBytes;
    this.#files = files;
    this.#maxWaitingBytes = maxWaitingBytes;
    this.#onError = onError;
  }

  /** Writes the pending blocks, unless the FIFO has no reader yet, and closes the file. */
  async close(): Promise<void> {
    this.#closed = true;
    const reader = this.#isOpening ? this.#openForReading() : undefined;
    await this.#pumping;
    await this.#handle?.close();
    if (reader !== undefined) closeSync(reader);
    this.#handle = undefined;
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #put(block: Uint8Array<ArrayBuffer>): void {
    if (this.#failure !== undefined) throw this.#failure;
    if (this.#closed) return;
    this.#header ??= block;
    if (this.#waitingBytes + block.length > this.#maxWaitingBytes) {
      this.dropped++;
      return;
    }
    this.#waiting.push(block);
    this.#waitingBytes += block.length;
    this.#pumping ??= this.#pump();
  }

  async #pump(): Promise<void> {
    try {
      while (this.#waiting.length > 0) {
        if (this.#path !== STDOUT && this.#handle === undefined) await this.#open();
        if (this.#waiting.length === 0) return;
        if (this.#isFull()) await this.#rotate();
        await this.#writeAll(this.#takeChunk());
      }
    } catch (error) {
      this.#failure = error ?? new Error("the file cannot be written");
      this.#waiting = [];
      if (!this.#closed) this.#onError?.(error);
    }
    this.#pumping = undefined;
  }

  async #open(): Promise<void> {
    this.#isOpening = true;
    try {
      this.#handle = await open(this.#path, "w");
      // A FIFO or a device must keep its name, because its readers have opened it by that name.
      if (!(await this.#handle.stat()).isFile()) this.#maxBytes = Infinity;
    } finally {
      this.#isOpening = false;
    }
  }

  #isFull(): boolean {
    return this.#size > this.#header!.length &&
      this.#size + this.#waiting[0]!.length > this.#maxBytes;
  }

  async #rotate(): Promise<void> {
    await this.#handle?.close();
    this.#handle = undefined;
    for (let number = this.#files - 1; number >= 1; number--) {
      const older = number === 1 ? this.#path : `${this.#path}.${number - 1}`;
      await rename(older, `${this.#path}.${number}`).catch(ignoreMissing);
    }
    await this.#open();
    this.#size = 0;
    await this.#writeAll(this.#header!);
  }

  /** Removes the pending blocks that fit in this file, at least one. */
  #takeChunk(): Uint8Array<ArrayBuffer> {
    let count = 0;
    let bytes = 0;
    for (const block of this.#waiting) {
      const isChunkFull = bytes + block.length > CHUNK_BYTES ||
        this.#size + bytes + block.length > this.#maxBytes;
      if (count > 0 && isChunkFull) break;
      count++;
      bytes += block.length;
    }
    const chunk = new Uint8Array(bytes);
    let at = 0;
    for (const block of this.#waiting.splice(0, count)) {
      chunk.set(block, at);
      at += block.length;
    }
    this.#waitingBytes -= bytes;
    return chunk;
  }

  async #writeAll(chunk: Uint8Array<ArrayBuffer>): Promise<void> {
    this.#size += chunk.length;
    if (this.#path === STDOUT) return await writeToStdout(chunk);
    for (let at = 0; at < chunk.length;) {
      at += (await this.#handle!.write(chunk, at, chunk.length - at)).bytesWritten;
    }
  }

  /**
   * Opens a FIFO for reading, which ends a pending open for writing that waits for a reader. Drops the pending
   * blocks, since nobody will read them.
   */
  #openForReading(): number | undefined {
    try {
      if (!statSync(this.#path).isFIFO()) return undefined;
      this.#waiting = [];
      return openSync(this.#path, constants.O_RDONLY | constants.O_NONBLOCK);
    } catch {
      // The later open for writing reports the error.
      return undefined;
    }
  }
}

function writeToStdout(chunk: Uint8Array): Promise<void> {
  return new Promise((resolve, reject) => {
    process.stdout.write(chunk, (error) => error ? reject(error) : resolve());
  });
}

function ignoreMissing(error: { code?: string }): void {
  if (error.code !== "ENOENT") throw error;
}
