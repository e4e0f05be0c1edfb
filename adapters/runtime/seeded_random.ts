import type { Random } from "../../core/api/environment.ts";

/** A seeded random generator: the same seed gives the same values on every runtime. */
export interface SeededRandom extends Random {
  /** 0 to 2^32 - 1. */
  uint32(): number;
  /** From 0 up to but not including 1. */
  fraction(): number;
}

/**
 * A small fast generator (sfc32) for tests and simulated links. Never for keys or sequence numbers
 * of a real network.
 *
 * @example
 * ```ts
 * import { seededRandom } from "@berth/berth/testing";
 *
 * const random = seededRandom(1);
 * if (random.uint32() === random.uint32()) throw new Error("not random");
 * ```
 */
export function seededRandom(seed: number): SeededRandom {
  let [a, b, c, counter] = [0, seed | 0, Math.floor(seed / 2 ** 32) | 0, 1];

  function uint32(): number {
    const sum = (a + b + counter++) | 0;
    a = b ^ (b >>> 9);
    b = (c + (c << 3)) | 0;
    c = ((c << 21) | (c >>> 11)) + sum | 0;
    return sum >>> 0;
  }

  // Similar seeds give different sequences only after some rounds.
  for (let round = 0; round < 15; round++) uint32();

  return {
    uint32,
    fraction: () => uint32() / 2 ** 32,
    fill(bytes) {
      for (let at = 0; at < bytes.length;) {
        let word = uint32();
        for (let i = 0; i < 4 && at < bytes.length; i++, word >>>= 8) bytes[at++] = word;
      }
    },
  };
}
