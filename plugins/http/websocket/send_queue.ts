/**
 * The send queue of a WebSocket.
 *
 * @module
 */
import { concatenate } from "../../../core/wire/bytes.ts";

/** Frames are joined into writes of up to this size. */
const BATCH_BYTES = 65_536;

/** A bounded queue in front of a socket's `write`. */
export class SendQueue {
  readonly #write: (bytes: Uint8Array) => Promise<unknown>;
  readonly #maxBytes: number;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  #pumping = false;
  #progress: (() => void)[] = [];

  /** A queue of at most `maxBytes`. */
  constructor(write: (bytes: Uint8Array) => Promise<unknown>, maxBytes: number) {
    this.#write = write;
    this.#maxBytes = maxBytes;
  }

  /** Bytes in the queue. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Adds `frame` and starts to send it; false: there is no room. */
  put(frame: Uint8Array): boolean {
    if (this.#bytes + frame.length > this.#maxBytes) return false;
    this.#frames.push(frame);
    this.#bytes += frame.length;
    if (!this.#pumping) void this.#pump();
    return true;
  }

  /** Resolves when at most `bytes` are queued, or the connection broke. */
  async drained(bytes: number): Promise<void> {
    while (this.#bytes > bytes) {
      await new Promise<void>((resolve) => this.#progress.push(resolve));
    }
  }

  async #pump(): Promise<void> {
    this.#pumping = true;
    try {
      while (this.#frames.length > 0) {
        const batch = this.#takeBatch();
        await this.#write(batch);
        this.#bytes -= batch.length;
        this.#tellProgress();
      }
    } catch {
      // The connection broke; the reader gets the error.
      this.#frames = [];
      this.#bytes = 0;
      this.#tellProgress();
    }
    this.#pumping = false;
  }

  #takeBatch(): Uint8Array {
    let length = 0;
    let count = 0;
    for (const frame of this.#frames) {
      if (count > 0 && length + frame.length > BATCH_BYTES) break;
      length += frame.length;
      count++;
    }
    const batch = this.#frames.splice(0, count);
    return count === 1 ? batch[0]! : concatenate(batch);
  }

  #tellProgress(): void {
    const waiting = this.#progress;
    this.#progress = [];
    for (const resolve of waiting) resolve();
  }
}
