/**
 * Pieces of bytes as one.
 *
 * @module
 */

/** A copy of all `parts`, which have `length` bytes together. */
export function concatenate(parts: readonly Uint8Array[], length: number): Uint8Array {
  const whole = new Uint8Array(length);
  let at = 0;
  for (const part of parts) {
    whole.set(part, at);
    at += part.length;
  }
  return whole;
}
