/**
 * SipHash-2-4, a keyed hash of 64 bits, with 32-bit arithmetic because it has to be synchronous and fast.
 *
 * @module
 */

/** Length of a key in bytes. */
export const SIPHASH_KEY_LENGTH = 16;

/** SipHash-2-4 with one key. */
export class SipHash {
  readonly #key: Int32Array;
  /** The lower half of the last result. */
  low = 0;
  /** The upper half of the last result. */
  high = 0;

  /** `key` has {@link SIPHASH_KEY_LENGTH} bytes. */
  constructor(key: Uint8Array) {
    this.#key = Int32Array.from([0, 4, 8, 12], (at) => readLittle(key, at));
  }

  /** Sets `low` and `high` to the hash of `bytes[start, end)`. */
  hash(bytes: Uint8Array, start: number, end: number): void {
    const key = this.#key;
    // v0 to v3 of the paper, as lower and upper halves.
    let a = key[0]! ^ 0x70736575;
    let A = key[1]! ^ 0x736f6d65;
    let b = key[2]! ^ 0x6e646f6d;
    let B = key[3]! ^ 0x646f7261;
    let c = key[0]! ^ 0x6e657261;
    let C = key[1]! ^ 0x6c796765;
    let d = key[2]! ^ 0x79746573;
    let D = key[3]! ^ 0x74656462;
    const blocksEnd = end - (end - start) % 8;
    // One step for each block, one for the block with the rest and the length, and the finalization.
    for (let at = start; at <= blocksEnd + 8; at += 8) {
      let low = 0;
      let high = 0;
      let rounds = 2;
      if (at < blocksEnd) {
        low = readLittle(bytes, at);
        high = readLittle(bytes, at + 4);
      } else if (at === blocksEnd) {
        high = (end - start) << 24;
        for (let i = end - 1; i >= at; i--) {
          const place = i - at;
          if (place < 4) low |= bytes[i]! << (8 * place);
          else high |= bytes[i]! << (8 * (place - 4));
        }
      } else {
        c ^= 0xff;
        rounds = 4;
      }
      d ^= low;
      D ^= high;
      for (; rounds > 0; rounds--) {
        let sum = (a + b) | 0;
        A = (A + B + ((sum >>> 0) < (b >>> 0) ? 1 : 0)) | 0;
        a = sum;
        let swap = (b << 13) | (B >>> 19);
        B = (B << 13) | (b >>> 19);
        b = swap ^ a;
        B ^= A;
        swap = a;
        a = A;
        A = swap;
        sum = (c + d) | 0;
        C = (C + D + ((sum >>> 0) < (d >>> 0) ? 1 : 0)) | 0;
        c = sum;
        swap = (d << 16) | (D >>> 16);
        D = (D << 16) | (d >>> 16);
        d = swap ^ c;
        D ^= C;
        sum = (a + d) | 0;
        A = (A + D + ((sum >>> 0) < (d >>> 0) ? 1 : 0)) | 0;
        a = sum;
        swap = (d << 21) | (D >>> 11);
        D = (D << 21) | (d >>> 11);
        d = swap ^ a;
        D ^= A;
        sum = (c + b) | 0;
        C = (C + B + ((sum >>> 0) < (b >>> 0) ? 1 : 0)) | 0;
        c = sum;
        swap = (b << 17) | (B >>> 15);
        B = (B << 17) | (b >>> 15);
        b = swap ^ c;
        B ^= C;
        swap = c;
        c = C;
        C = swap;
      }
      a ^= low;
      A ^= high;
    }
    this.low = a ^ b ^ c ^ d;
    this.high = A ^ B ^ C ^ D;
  }
}

function readLittle(bytes: Uint8Array, at: number): number {
  return bytes[at]! | (bytes[at + 1]! << 8) | (bytes[at + 2]! << 16) | (bytes[at + 3]! << 24);
}
