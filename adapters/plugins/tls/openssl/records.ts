/**
 * Where TLS records end.
 *
 * @module
 */

/** Bytes of a record's header (RFC 8446 5.1). */
const HEADER_BYTES = 5;

/**
 * Follows the boundaries of records in a stream, so that the library gets whole records and keeps none
 * that the reader has no room for.
 */
export class RecordBoundaries {
  /** Bytes of the header that have come. */
  #header = 0;
  #high = 0;
  /** Bytes of the record that are still to come, once its header is complete. */
  #left = 0;
  /** Bytes of the record in hand that have been handed over before. */
  #given = 0;

  /** No record has begun yet that has not ended. */
  get isAtStart(): boolean {
    return this.#header === 0;
  }

  /**
   * How many bytes of `bytes`, from `start`, to hand over: the rest of the record in hand, then whole
   * records as long as all together, the beginning of the first among them, are no more than `room`. At
   * least one byte where there is one.
   */
  take(bytes: Uint8Array, start: number, room: number): number {
    const given = this.#given;
    let at = this.isAtStart ? start : this.#advance(bytes, start);
    while (this.isAtStart && at < bytes.length) {
      const end = at + recordLength(bytes, at);
      if (end > bytes.length || given + end - start > room) break;
      at = end;
    }
    if (at === start) at = this.#advance(bytes, start);
    this.#given = this.isAtStart ? 0 : this.#given + at - start;
    return at - start;
  }

  /** To where the record in hand ends, or `bytes` do. */
  #advance(bytes: Uint8Array, start: number): number {
    let at = start;
    for (; this.#header < HEADER_BYTES && at < bytes.length; at++, this.#header++) {
      if (this.#header === 3) this.#high = bytes[at]!;
      else if (this.#header === 4) this.#left = this.#high << 8 | bytes[at]!;
    }
    if (this.#header < HEADER_BYTES) return at;
    const count = Math.min(this.#left, bytes.length - at);
    this.#left -= count;
    if (this.#left === 0) this.#header = 0;
    return at + count;
  }
}

/** Infinity where the header is not whole. */
function recordLength(bytes: Uint8Array, at: number): number {
  if (at + HEADER_BYTES > bytes.length) return Infinity;
  return HEADER_BYTES + (bytes[at + 3]! << 8 | bytes[at + 4]!);
}
