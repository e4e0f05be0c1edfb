/**
 * Finds the boundaries of TLS records.
 *
 * @module
 */

/** Bytes of a record's header (RFC 8446 5.1). */
const HEADER_BYTES = 5;

/**
 * Tracks record boundaries in a stream, so that the library gets whole records and never holds records
 * that the reader has no room for.
 */
export class RecordBoundaries {
  /** Bytes of the header received so far. */
  #header = 0;
  #high = 0;
  /** Bytes of the record still missing, once its header is complete. */
  #left = 0;
  /** Bytes of the current record that have been passed on. */
  #given = 0;

  /** Whether the position is between two records. */
  get isAtStart(): boolean {
    return this.#header === 0;
  }

  /**
   * Returns how many bytes of `bytes`, from `start` on, to pass to the library: the rest of the current
   * record, then whole records while the total, with what was passed on of the current record, is at
   * most `room`. At least one byte, if there is any.
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

  /** Advances to the end of the current record, or of `bytes`. */
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

/** Length of the record at `at`; infinity if its header is incomplete. */
function recordLength(bytes: Uint8Array, at: number): number {
  if (at + HEADER_BYTES > bytes.length) return Infinity;
  return HEADER_BYTES + (bytes[at + 3]! << 8 | bytes[at + 4]!);
}
