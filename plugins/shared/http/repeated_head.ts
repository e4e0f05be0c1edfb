/**
 * A cache of one parsed head: clients often repeat the same head on a connection.
 *
 * @module
 */

/** Longer heads are not cached. */
const MAX_BYTES = 1024;

/** The last head of one connection; never shared, because heads may contain secrets. */
export class RepeatedHead<T> {
  #bytes: Uint8Array | undefined;
  #value: T | undefined;
  #isPersistent = false;

  /** The value kept for `bytes[start..end)`; `undefined` if the last head was different. */
  find(bytes: Uint8Array, start: number, end: number): T | undefined {
    const kept = this.#bytes;
    if (kept === undefined || kept.length !== end - start) return undefined;
    for (let i = 0; i < kept.length; i++) if (kept[i] !== bytes[start + i]) return undefined;
    return this.#value;
  }

  /** Keeps `value` for `bytes[start..end)`, from the second request of a connection on. */
  keep(bytes: Uint8Array, start: number, end: number, value: T): void {
    if (this.#isPersistent && end - start <= MAX_BYTES) {
      this.#bytes = bytes.slice(start, end);
      this.#value = value;
    }
    this.#isPersistent = true;
  }
}
