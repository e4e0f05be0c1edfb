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
  /** Consumed bytes not yet announced by WINDOW_UPDATE. */
  #consumed = 0;

  /** `size`: limit of unconsumed bytes. `available`: the part already announced to the peer. */
  constructor(size: number, available: number = size) {
    this.#size = size;
    this.#available = available;
  }

  /** Accounts for received bytes; false if they exceed the window. */
  receive(bytes: number): boolean {
    this.#available -= bytes;
    return this.#available >= 0;
  }

  /**
   * Accounts for consumed bytes. Returns the increment for a WINDOW_UPDATE, or 0 until half of the
   * window has been consumed.
   */
  consume(bytes: number): number {
    this.#consumed += bytes;
    if (this.#consumed * 2 < this.#size) return 0;
    return this.#grant();
  }

  /** The increment that opens the window to its size at the start of a connection. */
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
