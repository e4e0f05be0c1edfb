import { describe, expect, test } from "bun:test";
import { halfSipHash } from "../../../core/wire/half_siphash.ts";

/** The key of the published vectors: the bytes 0 to 7. */
const KEY = [0x03020100, 0x07060504] as const;
const WORDS = [0x03020100, 0x07060504];

describe("halfSipHash", () => {
  // The vectors of the paper's authors for HalfSipHash-2-4: of no bytes, of the bytes 0 to 3, and of 0 to 7.
  test.each([[0, 0x5b9f35a9], [1, 0x89466e2a], [2, 0x8f84b8d0]])(
    "hashes %d words like the reference (HalfSipHash-2-4)",
    (count, hash) => {
      expect(halfSipHash(KEY, WORDS.slice(0, count), 2, 4) >>> 0).toBe(hash);
    },
  );

  // Each bit of the message and of the key changes about half of the 32 bits of HalfSipHash-1-3.
  test("depends on every bit", () => {
    const before = halfSipHash(KEY, WORDS);
    for (let bit = 0; bit < 64; bit++) {
      const flip = (words: readonly number[]) =>
        words.map((word, i) => i === bit >>> 5 ? word ^ (1 << (bit & 31)) : word);
      const [k0, k1] = flip(KEY);
      expect(distance(before, halfSipHash(KEY, flip(WORDS)))).toBeGreaterThan(4);
      expect(distance(before, halfSipHash([k0!, k1!], WORDS))).toBeGreaterThan(4);
    }
  });
});

/** Number of bits that differ. */
function distance(one: number, other: number): number {
  return ((one ^ other) >>> 0).toString(2).replaceAll("0", "").length;
}
