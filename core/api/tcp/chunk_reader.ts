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

/** Keeps what is left of one chunk at most; the next is not asked for before somebody reads. */
export class ChunkReader {
  readonly #source: ChunkSource;
  readonly #turns = new SerialQueue();
  #rest: Bytes | undefined;
  /** The source's next chunk, while it is asked for. */
  #pulled: Promise<Bytes | undefined> | undefined;
  /** Ends the read that waits for it. */
  #waiting: Deferred<Bytes | undefined> | undefined;
  #hasEnded = false;
  #isClosed = false;

  constructor(source: ChunkSource) {
    this.#source = source;
  }

  /** Nothing is left of the chunk that was handed out last. */
  get isDrained(): boolean {
    return this.#rest === undefined;
  }

  /** Fills `p`; resolves with the byte count, or with `null` at the end. */
  read(p: Uint8Array<ArrayBufferLike>): Promise<number | null> {
    return this.#turns.run(async () => {
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

  async #take(): Promise<Bytes | undefined> {
    if (this.#isClosed) return undefined;
    const rest = this.#rest;
    this.#rest = undefined;
    if (rest !== undefined) return rest;
    const waiting = this.#waiting = new Deferred();
    this.#pull().then((chunk) => waiting.resolve(chunk), (error) => waiting.reject(error));
    const chunk = await waiting.promise;
    return this.#isClosed ? undefined : chunk;
  }

  /** Whoever discards goes on with what a read has asked for that did not wait for it. */
  #pull(): Promise<Bytes | undefined> {
    return this.#pulled ??= this.#pullOne().finally(() => this.#pulled = undefined);
  }

  async #pullOne(): Promise<Bytes | undefined> {
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
