/**
 * HalfSipHash, a keyed hash of 32-bit words to 32 bits. Without the key, an attacker cannot choose inputs that have
 * the same hash. It needs no 64-bit arithmetic, so the BPF program of a TUN device can compute it too.
 *
 * @module
 */

/** A key: 64 random bits as two 32-bit words. */
export type HalfSipHashKey = readonly [number, number];

/**
 * The hash of 32-bit words, each read from four bytes in little-endian order, with `perWord` rounds for each of them and
 * `atEnd` rounds of finalization.
 */
export function halfSipHash(
  [k0, k1]: HalfSipHashKey,
  words: readonly number[],
  perWord = 1,
  atEnd = 3,
): number {
  const { length } = words;
  // v0 to v3 of the paper.
  let a = k0 | 0;
  let b = k1 | 0;
  let c = k0 ^ HALF_SIPHASH_INITIAL[0];
  let d = k1 ^ HALF_SIPHASH_INITIAL[1];
  // One step for each word, one for the length, and the finalization.
  for (let i = 0; i <= length + 1; i++) {
    let word = 0;
    let rounds = perWord;
    if (i < length) word = words[i]!;
    else if (i === length) word = lengthWord(length);
    else {
      c ^= 0xff;
      rounds = atEnd;
    }
    d ^= word;
    for (; rounds > 0; rounds--) {
      a = (a + b) | 0;
      b = ((b << 5) | (b >>> 27)) ^ a;
      a = (a << 16) | (a >>> 16);
      c = (c + d) | 0;
      d = ((d << 8) | (d >>> 24)) ^ c;
      a = (a + d) | 0;
      d = ((d << 7) | (d >>> 25)) ^ a;
      c = (c + b) | 0;
      b = ((b << 13) | (b >>> 19)) ^ c;
      c = (c << 16) | (c >>> 16);
    }
    a ^= word;
  }
  return b ^ d;
}

/** Initial values of v2 and v3, before the key is mixed in. */
export const HALF_SIPHASH_INITIAL: readonly [number, number] = [0x6c796765, 0x74656462];

/** The last block of a message of `words` words: its length in bytes in the highest byte. */
export function lengthWord(words: number): number {
  return (4 * words) << 24;
}
