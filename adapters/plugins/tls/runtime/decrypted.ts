/**
 * What has been decrypted and not been read yet.
 *
 * @module
 */
import { Deferred } from "../../../../core/api/runtime/deferred.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** A queue of chunks with one reader. Who fills it bounds it. */
export class Decrypted {
  #chunks: Bytes[] = [];
  #hasEnded = false;
  #reader: Deferred<void> | undefined;

  /** A reader waits. */
  get isWanted(): boolean {
    return this.#reader !== undefined;
  }

  /** Takes a chunk of the runtime's over. */
  push({ buffer, byteOffset, byteLength }: Uint8Array<ArrayBufferLike>): void {
    this.#chunks.push(new Uint8Array(buffer as ArrayBuffer, byteOffset, byteLength));
    this.#wake();
  }

  /** No chunk follows. */
  end(): void {
    this.#hasEnded = true;
    this.#wake();
  }

  /** Drops what nobody has read. */
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
