/**
 * The queue of decrypted data that has not been read yet.
 *
 * @module
 */
import { Deferred } from "../../../../core/api/runtime/deferred.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A queue of chunks with one reader. The producer has to bound it. */
export class Decrypted {
  #chunks: Bytes[] = [];
  #hasEnded = false;
  #reader: Deferred<void> | undefined;

  /** Whether a reader waits. */
  get isWanted(): boolean {
    return this.#reader !== undefined;
  }

  /** Adds a chunk from the runtime without copying it. */
  push({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBufferLike>): void {
    this.#chunks.push(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
    this.#wake();
  }

  /** Marks the end: no chunk follows. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** Drops unread chunks. */
  clear(): void {
    this.#chunks = [];
  }

  /** The next chunk; `undefined` at the end. One reader at a time. */
  async take(): Promise<Bytes | undefined> {
    while (this.#chunks.length === 0 && !this.#hasEnded) {
      this.#reader = new Deferred();
      await this.#reader.promise;
    }
    return this.#chunks.shift();
  }

  #wake(): void {
    this.#reader?.resolve();
    this.#reader = undefined;
  }
}
