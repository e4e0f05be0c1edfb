import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { seqDiff, seqGeq, seqGt, seqLeq, seqLt, seqMax, seqMin } from "../../../core/wire/seq.ts";
import { assert } from "../../support/assert.ts";

describe("sequence numbers", () => {
  // A number and the one before it, around every wrap of 32 bits.
  test.each([0, 1, 2 ** 31 - 1, 2 ** 31, -(2 ** 31), -1, 2 ** 32 - 1])(
    "compare modulo 2^32 around %d (RFC 9293 3.4)",
    (point) => {
      const here = point | 0;
      const before = (point - 1) | 0;
      expect(seqLt(before, here)).toBe(true);
      expect(seqGt(here, before)).toBe(true);
      expect(seqLeq(here, here) && seqGeq(here, here)).toBe(true);
      expect(seqLt(here, here) || seqGt(here, here)).toBe(false);
      expect(seqDiff(here, before)).toBe(1);
      expect(seqDiff(before, here)).toBe(-1);
      expect(seqMax(before, here)).toBe(here);
      expect(seqMin(before, here)).toBe(before);
    },
  );

  // Compared with arithmetic on arbitrary-precision integers.
  test("seqDiff is the signed distance modulo 2^32 (RFC 9293 3.4)", () => {
    const random = seededRandom(4);
    for (let i = 0; i < 10_000; i++) {
      const a = random.uint32() | 0;
      const distance = (random.uint32() >>> 1) * (i % 2 === 0 ? 1 : -1);
      const b = Number(BigInt.asIntN(32, BigInt(a) + BigInt(distance)));
      assert(seqDiff(b, a) === distance, `${b} lies ${distance} behind ${a}`);
      assert(seqLt(a, b) === distance > 0 && seqGeq(a, b) === distance <= 0, `${a} and ${b}`);
    }
  });
});
