/**
 * Clients that keep a connection often send the same head again and again.
 *
 * @module
 */

/** Longer ones are not kept. */
const MAX_BYTES = 1024;

/** What was made of the last head of one connection; never of another's, whose head may be a secret. */
export class RepeatedHead<T> {
  #bytes: Uint8Array | undefined;
  #value: T | undefined;
  #isPersistent = false;

  /** What was kept for `bytes[start..end)`; `undefined` where the last head was another. */
  find(bytes: Uint8Array, start: number, end: number): T | undefined {
    const kept = this.#bytes;
    if (kept === undefined || kept.length !== end - start) return undefined;
    for (let i = 0; i < kept.length; i++) if (kept[i] !== bytes[start + i]) return undefined;
    return this.#value;
  }

  /** Keeps what was made of `bytes[start..end)`, from a connection's second request on. */
  keep(bytes: Uint8Array, start: number, end: number, value: T): void {
    if (this.#isPersistent && end - start <= MAX_BYTES) {
      this.#bytes = bytes.slice(start, end);
      this.#value = value;
    }
    this.#isPersistent = true;
  }
}
