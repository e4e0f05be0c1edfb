import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";

describe("seededRandom", () => {
  // The same on both runtimes and in all versions, so that failures can be reproduced.
  test("returns fixed values for a seed", () => {
    const random = seededRandom(1);
    const values = [random.uint32(), random.uint32(), random.uint32()];
    expect(values).toEqual([1_779_833_415, 2_026_416_846, 1_661_539_736]);
  });

  // Adjacent seeds, and seeds that differ only in the upper word.
  test("returns other values for another seed", () => {
    const firsts = [0, 1, 2, -1, 2 ** 32, 2 ** 32 + 1].map((seed) => seededRandom(seed).uint32());
    expect(new Set(firsts).size).toBe(firsts.length);
  });

  // Ten buckets get a tenth each, within four standard deviations.
  test("fraction is uniform over 0 to 1", () => {
    const random = seededRandom(7);
    const buckets = new Array<number>(10).fill(0);
    for (let i = 0; i < 100_000; i++) buckets[Math.floor(random.fraction() * 10)]!++;
    for (const count of buckets) expect(Math.abs(count - 10_000)).toBeLessThan(380);
  });

  // Any length, including those that are not a multiple of a word.
  test("fill sets every byte", () => {
    const counts = new Array<number>(7).fill(0);
    const bytes = new Uint8Array(7);
    const random = seededRandom(3);
    for (let i = 0; i < 20; i++) {
      random.fill(bytes);
      bytes.forEach((byte, at) => counts[at]! += byte);
    }
    expect(Math.min(...counts)).toBeGreaterThan(0);
  });
});
