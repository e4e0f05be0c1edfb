/**
 * The bytes of one direction: whoever names a length gets bytes that tell where they belong, and
 * everything that arrives is compared with them.
 *
 * @module
 */

/** What was put in at each offset. */
export class ByteStream {
  readonly #known = new Map<number, number>();
  /** Offset behind the last byte that was put in. */
  length = 0;

  /** Bytes for `offset`: the text's, or `data` many that tell their place. */
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

  /** Where `bytes` at `offset` differ from what was put in; -1: nowhere. */
  firstDifference(offset: number, bytes: Uint8Array): number {
    const at = bytes.findIndex((byte, i) => this.#known.get(offset + i) !== byte);
    return at < 0 ? -1 : offset + at;
  }
}

function byteAt(offset: number): number {
  return (offset * 31 + (offset >> 8) * 7 + 1) & 255;
}
