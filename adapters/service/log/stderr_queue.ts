/**
 * A queue of lines for stderr, so that a reader that has stopped, such as a paused terminal or a full pipe, delays no
 * caller. Lines beyond the bound of the queue are dropped and counted.
 *
 * @module
 */
import { write, writeSync } from "node:fs";
import { promisify } from "node:util";
import { runtimeName } from "../../runtime/runtime.ts";

const STDERR = 2;
const writeAsync = promisify(write);

/** Maximum number of characters that wait for the reader; lines beyond it are lost. */
export const MAX_WAITING_LENGTH = 1_048_576;
/** How long the end of the process waits for the reader, in milliseconds. */
const FINISH_MS = 1000;

/** Writes some of the bytes; resolves with their number. */
export type WriteSome = (bytes: Uint8Array, at: number) => Promise<number>;

declare const Deno: { readonly stderr: { write(bytes: Uint8Array): Promise<number> } };

/** On Deno, `write` of `node:fs` blocks the thread. */
const writeToStderr: WriteSome = runtimeName() === "deno"
  ? (bytes, at) => Deno.stderr.write(bytes.subarray(at))
  : async (bytes, at) => (await writeAsync(STDERR, bytes, at, bytes.length - at)).bytesWritten;

/** A queue of lines. */
export class StderrQueue {
  readonly #write: WriteSome;
  #waiting: string[] = [];
  #waitingLength = 0;
  #writing: Promise<void> | undefined;
  #lost = 0;
  #lostNow = 0;

  /** `write` is replaced by tests. */
  constructor(write: WriteSome = writeToStderr) {
    this.#write = write;
  }

  /** Number of lines that were dropped for lack of room. */
  get lost(): number {
    return this.#lost;
  }

  /** Queues a line, which has no newline at its end. */
  write(line: string): void {
    if (this.#waitingLength + line.length > MAX_WAITING_LENGTH) {
      this.#lost++;
      this.#lostNow++;
      return;
    }
    this.#waiting.push(line);
    this.#waitingLength += line.length;
    this.#writing ??= this.#writeAll();
  }

  /** Resolves when everything has been written, or after a second. */
  async finish(): Promise<void> {
    if (this.#writing === undefined) return;
    let timer: ReturnType<typeof setTimeout> | undefined;
    const late = new Promise<void>((resolve) => timer = setTimeout(resolve, FINISH_MS));
    await Promise.race([this.#writing, late]);
    clearTimeout(timer);
  }

  /** Writes the queued lines synchronously, at the end of the process, unless the reader has stopped. */
  flushNow(): void {
    if (this.#writing !== undefined || this.#waiting.length === 0) return;
    try {
      writeSync(STDERR, this.#take());
    } catch {
      // The reader has gone.
    }
  }

  async #writeAll(): Promise<void> {
    // Wait, so that the lines of one turn of the event loop are written together.
    await Promise.resolve();
    while (this.#waiting.length > 0) {
      const bytes = this.#take();
      try {
        for (let at = 0; at < bytes.length;) at += await this.#write(bytes, at);
      } catch {
        // The terminal or the pipe is closed, so the service continues without a log.
      }
      if (this.#lostNow === 0) continue;
      const lost = this.#lostNow;
      this.#lostNow = 0;
      this.write(`berth: ${lost} log lines were lost, because stderr was not read`);
    }
    this.#writing = undefined;
  }

  #take(): Uint8Array {
    const text = this.#waiting.map((line) => `${line}\n`).join("");
    this.#waiting = [];
    this.#waitingLength = 0;
    return new TextEncoder().encode(text);
  }
}
