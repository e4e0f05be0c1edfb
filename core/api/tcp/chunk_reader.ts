/**
 * Bytes that come in chunks, for who reads them in pieces.
 *
 * @module
 */
import { Deferred } from "../runtime/deferred.ts";
import { SerialQueue } from "../runtime/serial_queue.ts";
import { requireBytes } from "./bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Gives the next bytes, an array of its own; `undefined` at the end. */
export type ChunkSource = () => Promise<Bytes | undefined>;

/** Reads into an array; `null` at the end. */
export type ArrayReader = (p: Uint8Array<ArrayBufferLike>) => Promise<number | null>;

/** Keeps what is left of one chunk at most; the next is not asked for before somebody reads. */
export class ChunkReader {
  readonly #source: ChunkSource;
  readonly #readInto: ArrayReader | undefined;
  readonly #turns = new SerialQueue();
  #rest: Bytes | undefined;
  /** The source's next chunk, while it is asked for. */
  #pulled: Promise<Bytes | undefined> | undefined;
  /** The source's answer to `readInto`, while it is asked. */
  #filling: Promise<number | null> | undefined;
  /** Ends the read that waits for the source. */
  #waiting: { resolve(end: undefined): void } | undefined;
  #hasEnded = false;
  #isClosed = false;

  /** `readInto`, if given, reads into the arrays of readers without a chunk in between. */
  constructor(source: ChunkSource, readInto?: ArrayReader) {
    this.#source = source;
    this.#readInto = readInto;
  }

  /** Nothing is left of the chunk that was handed out last. */
  get isDrained(): boolean {
    return this.#rest === undefined;
  }

  /** Fills `p`; resolves with the byte count, or with `null` at the end. */
  read(p: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    return this.#turns.run(async () => {
      if (this.#readInto !== undefined && this.#rest === undefined) {
        return await this.#fill(p, this.#readInto);
      }
      const chunk = await this.#take();
      if (chunk === undefined) return null;
      const count = Math.min(chunk.length, p.length);
      // An array whose buffer was transferred meanwhile takes nothing, not even an empty set().
      if (count > 0) p.set(chunk.subarray(0, count));
      this.#rest = count < chunk.length ? chunk.subarray(count) : undefined;
      return count;
    });
  }

  /** What is left of a chunk, or the next one; `undefined` at the end. */
  next(): Promise<Bytes | undefined> {
    return this.#turns.run(() => this.#take());
  }

  /** Whoever reads, or waits for the source to give something, is at the end. */
  close(): void {
    this.#isClosed = true;
    this.#rest = undefined;
    this.#waiting?.resolve(undefined);
  }

  /** Reads to the end, for nobody. */
  async discard(): Promise<void> {
    while (!this.#hasEnded) await this.#turns.run(() => this.#pull());
  }

  async #fill(p: Uint8Array<ArrayBufferLike>, readInto: ArrayReader): Promise<number | null> {
    if (this.#isClosed || this.#hasEnded) return null;
    const filling = this.#filling = readInto(p).finally(() => this.#filling = undefined);
    const count = await this.#unlessClosed(filling);
    if (count === undefined || this.#isClosed) return null;
    this.#hasEnded = count === null;
    return count;
  }

  async #take(): Promise<Bytes | undefined> {
    if (this.#isClosed) return undefined;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) return rest;
    const chunk = await this.#unlessClosed(this.#pull());
    return this.#isClosed ? undefined : chunk;
  }

  /** What `answer` resolves with; `undefined` once the reader is closed. */
  #unlessClosed<T>(answer: Promise<T>): Promise<T | undefined> {
    const waiting = this.#waiting = new Deferred<T | undefined>();
    answer.then((value) => waiting.resolve(value), (error) => waiting.reject(error));
    return waiting.promise;
  }

  /** Whoever discards goes on with what a read has asked for that did not wait for it. */
  #pull(): Promise<Bytes | undefined> {
    return this.#pulled ??= this.#pullOne().finally(() => this.#pulled = undefined);
  }

  async #pullOne(): Promise<Bytes | undefined> {
    // A read that did not wait for it, since the reader was closed.
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
