/**
 * A file of lines that is rotated by size. Nothing waits for the disk: lines are queued, up to a bound,
 * and lines that cannot be written are counted.
 *
 * @module
 */
import {
  closeSync,
  constants,
  fstatSync,
  openSync,
  realpathSync,
  renameSync,
  statSync,
  write,
  writeSync,
} from "node:fs";
import { promisify } from "node:util";
import { messageLine } from "../errors.ts";

const writeAsync = promisify(write);

/** Maximum number of characters that wait for the disk; lines beyond it are lost. */
export const MAX_WAITING_LENGTH = 1_048_576;

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
  /** Called when lines begin to get lost, and when the file cannot be rotated or opened again. */
  failed(reason: string): void;
  /** Called when it succeeds again, with the number of lines lost in between. */
  recovered(lost: number): void;
}

/** A file that lines are appended to. */
export class LogFile {
  readonly options: LogFileOptions;
  readonly #events: LogFileEvents;
  #fd: number;
  #size: number;
  /** The size at which the file is rotated. */
  #rotateAt: number;
  #waiting: string[] = [];
  #waitingLength = 0;
  #writing: Promise<void> | undefined;
  #lost = 0;
  /** Lines lost since writing began to fail; `undefined`: it does not. */
  #lostNow: number | undefined;
  /** The file ends within a line, because the disk was full. */
  #isTorn = false;
  #mustReopen = false;

  /** @throws {Error} The file cannot be opened, or is a FIFO without a reader. */
  constructor(options: LogFileOptions, events: LogFileEvents) {
    this.options = options;
    this.#events = events;
    this.#fd = openToAppend(options.file);
    this.#size = fstatSync(this.#fd).size;
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

  /** Opens the file again by its name, after another program has renamed it. */
  reopen(): void {
    // Not while the old one is being written to.
    this.#mustReopen = true;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when everything that waits has been written, or is lost. */
  async finish(): Promise<void> {
    while (this.#writing !== undefined) await this.#writing;
  }

  /** Writes what waits at once, for the end of the process. */
  flushNow(): void {
    const bytes = this.#take();
    try {
      if (bytes.length > 0) writeSync(this.#fd, bytes);
    } catch {
      // The process ends.
    }
  }

  async #writeAll(): Promise<void> {
    // The lines of a turn of the event loop are written together.
    await Promise.resolve();
    while (this.#waiting.length > 0 || this.#mustReopen) {
      if (this.#mustReopen) this.#openAgain();
      const lines = this.#waiting.length;
      const bytes = this.#take();
      if (this.#size > 0 && this.#size + bytes.length > this.#rotateAt) this.#rotate();
      await this.#append(bytes, lines);
    }
    this.#writing = undefined;
  }

  #openAgain(): void {
    this.#mustReopen = false;
    try {
      this.#replace(openToAppend(this.options.file));
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
      while (at < bytes.length) {
        const { bytesWritten } = await writeAsync(this.#fd, bytes, at, bytes.length - at);
        at += bytesWritten;
        this.#size += bytesWritten;
      }
      this.#isTorn = false;
      this.#recover();
    } catch (error) {
      if (at > 0) this.#isTorn = bytes[at - 1] !== NEWLINE;
      const written = countLines(bytes.subarray(0, at)) - (wasTorn && at > 0 ? 1 : 0);
      this.#lose(lines - written, messageLine(error));
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

  /** Renames `FILE` to `FILE.1`, `FILE.1` to `FILE.2`. If that fails, the file keeps growing. */
  #rotate(): void {
    const { files, maxBytes } = this.options;
    try {
      // Another process, such as the one before an upgrade, has rotated it.
      if (!this.#isNamed) return this.#replace(openToAppend(this.options.file));
      // The name of a device, such as /dev/stdout, belongs to all programs.
      if (!fstatSync(this.#fd).isFile()) return void (this.#rotateAt = Infinity);
      const file = realpathSync(this.options.file);
      for (let number = files - 1; number > 1; number--) {
        renameIfPresent(`${file}.${number - 1}`, `${file}.${number}`);
      }
      if (files > 1) renameSync(file, `${file}.1`);
      this.#replace(files > 1 ? openToAppend(file) : openSync(file, "w", MODE));
    } catch (error) {
      this.#rotateAt = this.#size + maxBytes;
      this.#events.failed(`it keeps growing, because it cannot be rotated: ${messageLine(error)}`);
    }
  }

  /** Whether the open file still has its name. */
  get #isNamed(): boolean {
    const named = statSync(this.options.file, { throwIfNoEntry: false });
    return named === undefined || named.ino === fstatSync(this.#fd).ino;
  }

  #replace(fd: number): void {
    closeSync(this.#fd);
    this.#fd = fd;
    this.#size = fstatSync(fd).size;
    this.#rotateAt = this.options.maxBytes;
    this.#isTorn = false;
  }
}

const NEWLINE = 0x0a;
const MODE = 0o640;
const { O_APPEND, O_CREAT, O_NONBLOCK, O_WRONLY } = constants;
const APPEND_AT_ONCE = O_WRONLY | O_APPEND | O_CREAT | O_NONBLOCK;

function openToAppend(file: string): number {
  // Without O_NONBLOCK, opening a FIFO waits for a reader.
  const fd = openSync(file, APPEND_AT_ONCE, MODE);
  if (fstatSync(fd).isFile()) return fd;
  try {
    return openSync(file, "a", MODE);
  } finally {
    closeSync(fd);
  }
}

function renameIfPresent(from: string, to: string): void {
  try {
    renameSync(from, to);
  } catch (error) {
    if ((error as { code?: string }).code !== "ENOENT") throw error;
  }
}

function countLines(bytes: Uint8Array): number {
  return bytes.reduce((count, byte) => byte === NEWLINE ? count + 1 : count, 0);
}
