/**
 * The windows of flow control (RFC 9113 5.2, 6.9).
 *
 * @module
 */

/** The largest window (RFC 9113 6.9.1). */
export const MAX_WINDOW = 2 ** 31 - 1;

/** How much the peer may send: a stream's window, or the connection's. */
export class ReceiveWindow {
  readonly #size: number;
  #available: number;
  /** Bytes that have been dealt with, and that the peer has not been told of. */
  #consumed = 0;

  /** `size`: the bytes that may be there and not be dealt with. `available`: what the peer knows of. */
  constructor(size: number, available: number = size) {
    this.#size = size;
    this.#available = available;
  }

  /** The peer has sent `bytes`; false: more than it may. */
  receive(bytes: number): boolean {
    this.#available -= bytes;
    return this.#available >= 0;
  }

  /**
   * Bytes have been dealt with. Returns the increment for a WINDOW_UPDATE, 0 while it is not worth
   * one: half of the window is.
   */
  consume(bytes: number): number {
    this.#consumed += bytes;
    if (this.#consumed * 2 < this.#size) return 0;
    return this.#grant();
  }

  /** The increment that opens the window to its size at the beginning of a connection. */
  open(): number {
    this.#consumed = this.#size - this.#available;
    return this.#grant();
  }

  #grant(): number {
    const increment = this.#consumed;
    this.#available += increment;
    this.#consumed = 0;
    return increment;
  }
}
