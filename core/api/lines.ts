/**
 * Lines of text in a stream of bytes.
 *
 * @module
 */
import { z } from "zod";
import { PeerFaultError } from "./errors.ts";
import { bytes } from "./numbers.ts";
import { checkOptions } from "./options.ts";
import { SerialQueue } from "./runtime/serial_queue.ts";

const LF = 0x0a;
const CR = 0x0d;
/** Initial size of the buffer, which doubles when it is full. */
const BUFFER_BYTES = 256;

/** Options of {@link readLines}. */
export interface LineOptions {
  /** Longest line, in bytes without its end. Default 65,536. */
  maxLineBytes?: number | undefined;
}

const optionsSchema = z.strictObject({ maxLineBytes: bytes().default(64 * 1024) });

/** The lines of a stream; see {@link readLines}. */
export interface LineReader extends AsyncIterableIterator<string> {
  /**
   * The next line; `undefined` after the last.
   *
   * @throws {TcpError} The line is longer than `maxLineBytes`, or reading failed.
   */
  readLine(): Promise<string | undefined>;
  /**
   * Removes and returns the bytes that were received after the last line, for `unread`: in protocols
   * such as SMTP with STARTTLS, the stream does not consist of lines from there on.
   */
  takeRest(): Uint8Array<ArrayBuffer>;
}

/**
 * Reads lines of UTF-8 text from a socket or any other stream of bytes. A line ends with LF or CRLF, which
 * is removed; bytes after the last LF are a line too. Leaving the loop does not close the socket.
 *
 * Holds one chunk and one line at most. A longer line is the peer's fault: the loop throws, and a
 * handler that does not catch it has its connection reset, without an entry in the log above
 * `debug`.
 *
 * @throws {TypeError} `maxLineBytes` is not valid.
 *
 * @example
 * ```ts
 * import { type Handler, readLines } from "@berth/berth";
 *
 * const shout: Handler = async ({ socket }) => {
 *   for await (const line of readLines(socket, { maxLineBytes: 1000 })) {
 *     if (line === "quit") break;
 *     await socket.write(new TextEncoder().encode(`${line.toUpperCase()}\n`));
 *   }
 * };
 * ```
 */
export function readLines(
  source: AsyncIterable<Uint8Array>,
  options: LineOptions = {},
): LineReader {
  const { maxLineBytes } = checkOptions("readLines", optionsSchema, options);
  return new Lines(source[Symbol.asyncIterator](), maxLineBytes);
}

class Lines implements LineReader {
  readonly #source: AsyncIterator<Uint8Array>;
  readonly #maxLineBytes: number;
  readonly #reads = new SerialQueue();
  readonly #decoder = new TextDecoder("utf-8", { ignoreBOM: true });
  #buffer = new Uint8Array(BUFFER_BYTES);
  /** The unread bytes are `#buffer[#start..#end)`; those before `#scanned` have no LF. */
  #start = 0;
  #end = 0;
  #scanned = 0;
  #isOver = false;

  constructor(source: AsyncIterator<Uint8Array>, maxLineBytes: number) {
    this.#source = source;
    this.#maxLineBytes = maxLineBytes;
  }

  [Symbol.asyncIterator](): this {
    return this;
  }

  async next(): Promise<IteratorResult<string, undefined>> {
    const value = await this.readLine();
    return value === undefined ? { done: true, value } : { done: false, value };
  }

  /** Leaves the source open. */
  return(): Promise<IteratorResult<string, undefined>> {
    return Promise.resolve({ done: true, value: undefined });
  }

  readLine(): Promise<string | undefined> {
    return this.#reads.run(() => this.#readLine());
  }

  async #readLine(): Promise<string | undefined> {
    for (;;) {
      const at = this.#buffer.subarray(0, this.#end).indexOf(LF, this.#scanned);
      if (at >= 0) return this.#take(at, at + 1);
      this.#scanned = this.#end;
      // One more for the CR of a line that has the maximum length.
      if (this.#end - this.#start > this.#maxLineBytes + 1) throw this.#tooLong();
      if (this.#isOver) {
        return this.#start === this.#end ? undefined : this.#take(this.#end, this.#end);
      }
      const { done, value } = await this.#source.next();
      if (done) this.#isOver = true;
      else this.#append(value);
    }
  }

  /** The line up to `to`; the next one begins at `next`. */
  #take(to: number, next: number): string {
    const end = to > this.#start && next > to && this.#buffer[to - 1] === CR ? to - 1 : to;
    if (end - this.#start > this.#maxLineBytes) throw this.#tooLong();
    const line = this.#decoder.decode(this.#buffer.subarray(this.#start, end));
    this.#start = this.#scanned = next;
    return line;
  }

  #append(chunk: Uint8Array): void {
    const length = this.#end - this.#start;
    if (this.#end + chunk.length > this.#buffer.length) {
      const rest = this.#buffer.subarray(this.#start, this.#end);
      let size = Math.max(this.#buffer.length, BUFFER_BYTES);
      while (size < length + chunk.length) size *= 2;
      // Grows by doubling, and reuses its beginning only if half of it is free: each byte is moved a
      // bounded number of times, however small the chunks are.
      if (size === this.#buffer.length && this.#start < size / 2) size *= 2;
      const target = size === this.#buffer.length ? this.#buffer : new Uint8Array(size);
      target.set(rest);
      this.#buffer = target;
      this.#scanned -= this.#start;
      this.#start = 0;
      this.#end = length;
    }
    this.#buffer.set(chunk, this.#end);
    this.#end += chunk.length;
  }

  takeRest(): Uint8Array<ArrayBuffer> {
    const rest = this.#buffer.slice(this.#start, this.#end);
    this.#buffer = new Uint8Array(0);
    this.#start = this.#end = this.#scanned = 0;
    return rest;
  }

  #tooLong(): PeerFaultError {
    return new PeerFaultError(`a line is longer than ${this.#maxLineBytes} bytes`);
  }
}
