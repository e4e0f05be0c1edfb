/**
 * Frames on their way to the peer.
 *
 * @module
 */
import { concatenate } from "../../../core/wire/bytes.ts";

/** Frames are joined up to here, to be one write. */
const BATCH_BYTES = 65_536;

/** A bounded queue in front of a socket's `write`. */
export class SendQueue {
  readonly #write: (bytes: Uint8Array) => Promise<unknown>;
  readonly #maxBytes: number;
  #frames: Uint8Array[] = [];
  #bytes = 0;
  #pumping = false;
  #progress: (() => void)[] = [];

  /** Makes an empty outbox of at most `maxBytes`. */
  constructor(write: (bytes: Uint8Array) => Promise<unknown>, maxBytes: number) {
    this.#write = write;
    this.#maxBytes = maxBytes;
  }

  /** Bytes that wait. */
  get bytes(): number {
    return this.#bytes;
  }

  /** Takes `frame` and starts to send it; false: there is no room. */
  put(frame: Uint8Array): boolean {
    if (this.#bytes + frame.length > this.#maxBytes) return false;
    this.#frames.push(frame);
    this.#bytes += frame.length;
    if (!this.#pumping) void this.#pump();
    return true;
  }

  /** Resolves when at most `bytes` wait, or nothing can be sent any more. */
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
      // The socket is dead, which its reader learns too.
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
