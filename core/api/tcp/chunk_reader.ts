/**
 * Reads a source of chunks in pieces of any size.
 *
 * @module
 */
import { Deferred } from "../runtime/deferred.ts";
import { SerialQueue } from "../runtime/serial_queue.ts";
import { requireBytes } from "./bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Returns the next bytes in an array of their own; `undefined` at the end. */
export type ChunkSource = () => Promise<Bytes | undefined>;

/** Reads into an array; `null` at the end. */
export type ArrayReader = (p: Uint8Array<ArrayBufferLike>) => Promise<number | null>;

/** Holds the rest of at most one chunk; requests the next only when a reader waits. */
export class ChunkReader {
  readonly #source: ChunkSource;
  readonly #readInto: ArrayReader | undefined;
  readonly #turns = new SerialQueue();
  #rest: Bytes | undefined;
  /** The pending request for the source's next chunk. */
  #pulled: Promise<Bytes | undefined> | undefined;
  /** The pending call of `readInto`. */
  #filling: Promise<number | null> | undefined;
  /** Ends the read that waits for `readInto`. */
  #endFilling: ((end: null) => void) | undefined;
  /** Ends the read that waits for the source. */
  #waiting: { resolve(end: undefined): void } | undefined;
  #hasEnded = false;
  #isClosed = false;

  /** `readInto`, if given, reads into the arrays of readers without a chunk in between. */
  constructor(source: ChunkSource, readInto?: ArrayReader) {
    this.#source = source;
    this.#readInto = readInto;
  }

  /** Whether the last chunk has been read completely. */
  get isDrained(): boolean {
    return this.#rest === undefined;
  }

  /** Whether no read is pending. */
  get isIdle(): boolean {
    return this.#turns.isIdle;
  }

  /** Runs `callback` when the pending reads have settled. */
  whenIdle(callback: () => void): void {
    void this.#turns.run(() => Promise.resolve()).then(callback);
  }

  /** Fills `p`; resolves with the byte count, or with `null` at the end. */
  read(p: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    return this.#turns.run(() =>
      this.#readInto !== undefined && this.#rest === undefined
        ? this.#fill(p, this.#readInto)
        : this.#copy(p)
    );
  }

  async #copy(p: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    const chunk = await this.#take();
    if (chunk === undefined) return null;
    const count = Math.min(chunk.length, p.length);
    // Nothing can be copied to an array whose buffer was transferred meanwhile: even an empty set()
    // throws.
    if (count > 0) p.set(chunk.subarray(0, count));
    this.#rest = count < chunk.length ? chunk.subarray(count) : undefined;
    return count;
  }

  /** What is left of a chunk, or the next one; `undefined` at the end. */
  next(): Promise<Bytes | undefined> {
    return this.#turns.run(() => this.#take());
  }

  /** Ends pending and later reads. */
  close(): void {
    this.#isClosed = true;
    this.#rest = undefined;
    this.#waiting?.resolve(undefined);
    this.#endFilling?.(null);
  }

  /** Reads to the end and discards the data. */
  async discard(): Promise<void> {
    while (!this.#hasEnded) await this.#turns.run(() => this.#pull());
  }

  #fill(p: Uint8Array<ArrayBufferLike>, readInto: ArrayReader): Promise<number | null> {
    if (this.#isClosed || this.#hasEnded) return Promise.resolve(null);
    const { promise, resolve, reject } = Promise.withResolvers<number | null>();
    this.#endFilling = resolve;
    const filling = this.#filling = readInto(p);
    filling.then((count) => {
      this.#filling = undefined;
      this.#hasEnded = count === null;
      resolve(count);
    }, (error) => {
      this.#filling = undefined;
      reject(error);
    });
    return promise;
  }

  async #take(): Promise<Bytes | undefined> {
    if (this.#isClosed) return undefined;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) return rest;
    const chunk = await this.#unlessClosed(this.#pull());
    return this.#isClosed ? undefined : chunk;
  }

  /** Resolves like `answer`, or with `undefined` as soon as the reader is closed. */
  #unlessClosed<T>(answer: Promise<T>): Promise<T | undefined> {
    const waiting = this.#waiting = new Deferred<T | undefined>();
    answer.then((value) => waiting.resolve(value), (error) => waiting.reject(error));
    return waiting.promise;
  }

  /** Requests the next chunk, unless a request is pending: `discard` continues the request of a closed reader. */
  #pull(): Promise<Bytes | undefined> {
    return this.#pulled ??= this.#pullOne().finally(() => this.#pulled = undefined);
  }

  async #pullOne(): Promise<Bytes | undefined> {
    // A `readInto` is still pending, because its reader was closed.
    if (this.#filling !== undefined) this.#hasEnded = await this.#filling === null;
    while (!this.#hasEnded) {
      const chunk = await this.#source();
      this.#hasEnded = chunk === undefined;
      if (chunk === undefined) continue;
      requireBytes("readChunk", chunk);
      if (chunk.length > 0) return chunk;
    }
    return undefined;
  }
}
