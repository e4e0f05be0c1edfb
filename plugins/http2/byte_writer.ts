/**
 * A growing byte buffer.
 *
 * @module
 */

/** A growing array; `bytes[0..length)` has been written. */
export class ByteWriter {
  /** The buffer; replaced when it grows. */
  bytes: Uint8Array<ArrayBuffer>;
  /** Bytes written. */
  length = 0;

  /** Creates an empty buffer with room for `capacity` bytes. */
  constructor(capacity: number) {
    this.bytes = new Uint8Array(capacity);
  }

  /** Appends `count` bytes that the caller fills in; returns where they begin. */
  reserve(count: number): number {
    const at = this.length;
    if (at + count > this.bytes.length) this.#grow(at + count);
    this.length = at + count;
    return at;
  }

  /** Appends a byte. */
  writeByte(byte: number): void {
    if (this.length === this.bytes.length) this.#grow(this.length + 1);
    this.bytes[this.length++] = byte;
  }

  /** Appends an integer of 32 bits. */
  writeU32(value: number): void {
    const at = this.reserve(4);
    this.bytes[at] = value >>> 24;
    this.bytes[at + 1] = value >>> 16;
    this.bytes[at + 2] = value >>> 8;
    this.bytes[at + 3] = value;
  }

  /** Appends `text`, whose characters are all below 256. */
  writeText(text: string): void {
    const { length } = text;
    let at = this.reserve(length);
    for (let i = 0; i < length; i++) this.bytes[at++] = text.charCodeAt(i);
  }

  /** Appends `source[start..end)`. */
  writeBytes(source: Uint8Array, start: number, end: number): void {
    const at = this.reserve(end - start);
    this.bytes.set(start === 0 && end === source.length ? source : source.subarray(start, end), at);
  }

  #grow(atLeast: number): void {
    const larger = new Uint8Array(Math.max(atLeast, this.bytes.length * 2));
    larger.set(this.bytes.subarray(0, this.length));
    this.bytes = larger;
  }
}
