/**
 * The data of one direction. Data given by length is different at every offset, and received data
 * is compared with it.
 *
 * @module
 */

/** Data by offset. */
export class ByteStream {
  readonly #known = new Map<number, number>();
  /** Offset after the last byte. */
  length = 0;

  /** Data at `offset`: the text, or `data` bytes of the pattern. */
  put(offset: number, data: string | number): Uint8Array {
    const bytes = typeof data === "string"
      ? new TextEncoder().encode(data)
      : Uint8Array.from({ length: data }, (_, i) => byteAt(offset + i));
    for (const [i, byte] of bytes.entries()) {
      if (!this.#known.has(offset + i)) this.#known.set(offset + i, byte);
    }
    this.length = Math.max(this.length, offset + bytes.length);
    return bytes;
  }

  /** Index of the first difference of `bytes` at `offset` from the data, or -1. */
  firstDifference(offset: number, bytes: Uint8Array): number {
    const at = bytes.findIndex((byte, i) => this.#known.get(offset + i) !== byte);
    return at < 0 ? -1 : offset + at;
  }
}

function byteAt(offset: number): number {
  return (offset * 31 + (offset >> 8) * 7 + 1) & 255;
}
