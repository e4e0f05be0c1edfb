import { readU32 } from "../../core/wire/bytes.ts";

/** The limit of QEMU (`NET_BUFSIZE`). */
const MAX_FRAME = 4096 + 65_536;

/**
 * Splits a stream into frames, each preceded by its length in 4 bytes, as in QEMU's stream sockets.
 */
export class FrameReader {
  readonly #largest: number;
  readonly #onFrame: (frame: Uint8Array) => void;
  readonly #onTooLarge: () => void;
  /**
   * Length prefix and the part of the frame received so far; frames that are too large are not
   * stored.
   */
  readonly #partial: Uint8Array<ArrayBuffer>;
  #have = 0;
  /** Length of the frame, once known. */
  #length = 0;

  /** `largest` is the maximum length of a frame; `onTooLarge` is called for larger ones. */
  constructor(largest: number, onFrame: (frame: Uint8Array) => void, onTooLarge: () => void) {
    this.#largest = largest;
    this.#onFrame = onFrame;
    this.#onTooLarge = onTooLarge;
    this.#partial = new Uint8Array(4 + largest);
  }

  /** Parses the next chunk; returns false if the stream does not consist of frames. */
  take(chunk: Uint8Array): boolean {
    for (let at = 0; at < chunk.length;) {
      if (this.#have < 4) {
        this.#partial[this.#have++] = chunk[at++]!;
        if (this.#have < 4) continue;
        this.#length = readU32(this.#partial, 0);
        if (this.#length === 0 || this.#length > MAX_FRAME) return false;
      }
      at = this.#takeBody(chunk, at);
    }
    return true;
  }

  #takeBody(chunk: Uint8Array, at: number): number {
    const count = Math.min(4 + this.#length - this.#have, chunk.length - at);
    const isKept = this.#length <= this.#largest;
    const isWhole = this.#have === 4 && count === this.#length;
    const piece = chunk.subarray(at, at + count);
    if (isKept && !isWhole) this.#partial.set(piece, this.#have);
    this.#have += count;
    if (this.#have === 4 + this.#length) {
      this.#have = 0;
      if (!isKept) this.#onTooLarge();
      else this.#onFrame(isWhole ? piece : this.#partial.subarray(4, 4 + this.#length));
    }
    return at + count;
  }
}
