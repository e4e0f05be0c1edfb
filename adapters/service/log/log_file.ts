/**
 * A file of lines that is rotated by size. No caller waits for the disk, even if it never responds: lines are queued
 * up to a bound, and lines that cannot be written are counted.
 *
 * @module
 */
import { messageLine } from "../errors.ts";
import { type AppendedFile, type Disk, HOST_DISK } from "./disk.ts";

/** Maximum number of characters that wait for the disk; lines beyond it are lost. */
export const MAX_WAITING_LENGTH = 1_048_576;

/** How long the end of the process waits for the disk, in milliseconds. */
const FINISH_MS = 2000;
/**
 * If a write has been in progress for this time, in milliseconds, the end of the process does not wait for the disk.
 */
const HUNG_MS = 1000;

/** A file, and its rotation. Devices and pipes are not rotated; through a symbolic link, its target is rotated. */
export interface LogFileOptions {
  readonly file: string;
  /** Size of one file, in bytes; a line is never divided. */
  readonly maxBytes: number;
  /** Number of files that are kept, the current one included. */
  readonly files: number;
}

/** Callbacks of a {@link LogFile}. */
export interface LogFileEvents {
  /** Called when the first line is lost, and when the file cannot be rotated or reopened. */
  failed(reason: string): void;
  /** Called when lines are written again, with the number of lines lost in between. */
  recovered(lost: number): void;
}

/** A file that lines are appended to. */
export class LogFile {
  readonly options: LogFileOptions;
  readonly #events: LogFileEvents;
  readonly #disk: Disk;
  #file: AppendedFile;
  #size: number;
  /** The size at which the file is rotated. */
  #rotateAt: number;
  #waiting: string[] = [];
  #waitingLength = 0;
  #writing: Promise<void> | undefined;
  /** The write in progress: the size of the file after it, and when it began. */
  #inFlight: { readonly end: number; readonly since: number } | undefined;
  #lost = 0;
  /** Number of lines lost since writes began to fail; `undefined` while they succeed. */
  #lostNow: number | undefined;
  /** Whether the file ends with a part of a line, because the disk was full. */
  #isTorn = false;
  #mustReopen = false;

  /**
   * `disk` is replaced by tests.
   *
   * @throws {Error} The file cannot be opened, or is a FIFO without a reader.
   */
  constructor(options: LogFileOptions, events: LogFileEvents, disk: Disk = HOST_DISK) {
    this.options = options;
    this.#events = events;
    this.#disk = disk;
    this.#file = disk.openNow(options.file);
    this.#size = this.#file.factsNow().size;
    this.#rotateAt = options.maxBytes;
  }

  /** Number of lines that could not be written. */
  get lost(): number {
    return this.#lost;
  }

  /** Queues a line, which has no newline at its end. */
  write(line: string): void {
    if (this.#waitingLength + line.length > MAX_WAITING_LENGTH) {
      return this.#lose(1, "the disk is too slow");
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length;
    this.#writing ??= this.#writeAll();
  }

  /** Reopens the file by its name, after another program has renamed it. */
  reopen(): void {
    // The old file may be in use by a write, so the queue reopens it later.
    this.#mustReopen = true;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when all queued lines have been written or are lost, or when the disk does not respond in time. */
  async finish(): Promise<void> {
    const deadline = Date.now() + FINISH_MS;
    while (this.#writing !== undefined && Date.now() < deadline) {
      let timer: ReturnType<typeof setTimeout> | undefined;
      const late = new Promise<void>((resolve) =>
        timer = setTimeout(resolve, deadline - Date.now())
      );
      await Promise.race([this.#writing, late]);
      clearTimeout(timer);
    }
  }

  /** Writes the queued lines synchronously, at the end of the process, unless the disk has stopped responding. */
  flushNow(): void {
    try {
      if (!this.#awaitInFlight()) return;
      const bytes = this.#take();
      if (bytes.length > 0) this.#file.writeNow(bytes);
    } catch {
      // The process is ending, and the log that would report the error is the one that failed.
    }
  }

  /**
   * Blocks until the runtime's thread has finished the write in progress; returns false if it does not do so in time.
   */
  #awaitInFlight(): boolean {
    const inFlight = this.#inFlight;
    if (inFlight === undefined) return true;
    const pause = new Int32Array(new SharedArrayBuffer(4));
    while (Date.now() - inFlight.since < HUNG_MS) {
      const { size, isFile } = this.#file.factsNow();
      if (!isFile || size >= inFlight.end) return true;
      Atomics.wait(pause, 0, 0, 1);
    }
    return false;
  }

  async #writeAll(): Promise<void> {
    // Wait, so that the lines of one turn of the event loop are written together.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#mustReopen) {
      if (this.#mustReopen) await this.#openAgain();
      if (this.#size > 0 && this.#size + this.#waitingBytes > this.#rotateAt) await this.#rotate();
      const lines = this.#waiting.length;
      await this.#append(this.#take(), lines);
    }
    this.#writing = undefined;
  }

  /** Estimated number of bytes that {@link #take} returns; exact for ASCII. */
  get #waitingBytes(): number {
    return this.#waitingLength + this.#waiting.length;
  }

  async #openAgain(): Promise<void> {
    this.#mustReopen = false;
    try {
      await this.#replace(await this.#disk.open(this.options.file));
    } catch (error) {
      this.#events.failed(`the old file stays open: ${messageLine(error)}`);
    }
  }

  #take(): Uint8Array {
    const text = this.#waiting.map((line) => `${line}\n`).join("");
    this.#waiting = [];
    this.#waitingLength = 0;
    return new TextEncoder().encode(this.#isTorn && text !== "" ? `\n${text}` : text);
  }

  async #append(bytes: Uint8Array, lines: number): Promise<void> {
    let at = 0;
    const wasTorn = this.#isTorn;
    try {
      this.#inFlight = { end: this.#size + bytes.length, since: Date.now() };
      while (at < bytes.length) {
        const written = await this.#file.write(bytes, at);
        at += written;
        this.#size += written;
      }
      this.#isTorn = false;
      this.#recover();
    } catch (error) {
      if (at > 0) this.#isTorn = bytes[at - 1] !== NEWLINE;
      const written = countLines(bytes.subarray(0, at)) - (wasTorn && at > 0 ? 1 : 0);
      this.#lose(lines - written, messageLine(error));
    } finally {
      this.#inFlight = undefined;
    }
  }

  #lose(lines: number, reason: string): void {
    this.#lost += lines;
    if (this.#lostNow === undefined) {
      this.#lostNow = 0;
      this.#events.failed(`lines are being lost: ${reason}`);
    }
    this.#lostNow += lines;
  }

  #recover(): void {
    if (this.#lostNow === undefined) return;
    const lost = this.#lostNow;
    this.#lostNow = undefined;
    this.#events.recovered(lost);
  }

  /** Renames `FILE` to `FILE.1`, `FILE.1` to `FILE.2`, and so on. If that fails, the file keeps growing. */
  async #rotate(): Promise<void> {
    const { files, maxBytes } = this.options;
    try {
      const { isFile, inode } = await this.#file.facts();
      const named = await this.#disk.factsOf(this.options.file);
      // Another process, such as the one before an upgrade, has rotated it.
      if (named !== undefined && named.inode !== inode) {
        return await this.#replace(await this.#disk.open(this.options.file));
      }
      // A device, such as /dev/stdout, is not rotated, because other programs use it by that name.
      if (!isFile) return void (this.#rotateAt = Infinity);
      const file = await this.#disk.realPath(this.options.file);
      for (let number = files - 1; number > 1; number--) {
        await this.#renameIfPresent(`${file}.${number - 1}`, `${file}.${number}`);
      }
      if (files > 1) await this.#disk.rename(file, `${file}.1`);
      await this.#replace(await this.#disk.open(file, files === 1));
    } catch (error) {
      this.#rotateAt = this.#size + maxBytes;
      this.#events.failed(`it keeps growing, because it cannot be rotated: ${messageLine(error)}`);
    }
  }

  async #renameIfPresent(from: string, to: string): Promise<void> {
    try {
      await this.#disk.rename(from, to);
    } catch (error) {
      if ((error as { code?: string }).code !== "ENOENT") throw error;
    }
  }

  async #replace(file: AppendedFile): Promise<void> {
    const { size } = await file.facts();
    this.#file.close();
    this.#file = file;
    this.#size = size;
    this.#rotateAt = this.options.maxBytes;
    this.#isTorn = false;
  }
}

const NEWLINE = 0x0a;

function countLines(bytes: Uint8Array): number {
  return bytes.reduce((count, byte) => byte === NEWLINE ? count + 1 : count, 0);
}
