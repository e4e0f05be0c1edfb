import { describe, expect, test } from "bun:test";
import { SipHash } from "../../../core/wire/siphash.ts";
import { sipHash } from "../../support/dsl/sip_hash.ts";

const KEY = Uint8Array.from({ length: 16 }, (_, i) => i);

function hashOf(hash: SipHash, bytes: Uint8Array, start = 0, end = bytes.length): bigint {
  hash.hash(bytes, start, end);
  return (BigInt(hash.high >>> 0) << 32n) | BigInt(hash.low >>> 0);
}

describe("SipHash", () => {
  // The authors' example: key 00 to 0f, message 00 to 0e.
  test("returns the published value (SipHash-2-4, appendix A)", () => {
    const input = Uint8Array.from({ length: 15 }, (_, i) => i);
    expect(hashOf(new SipHash(KEY), input)).toBe(0xa129ca6149be45e5n);
  });

  // Every length of the last block, and values with the upper bit of a byte set.
  test("agrees with the plain algorithm for every length", () => {
    const key = Uint8Array.from({ length: 16 }, (_, i) => 255 - 13 * i);
    const hash = new SipHash(key);
    const bytes = Uint8Array.from({ length: 300 }, (_, i) => (i * 167 + 91) & 255);
    for (let length = 0; length <= 300; length++) {
      expect(hashOf(hash, bytes, 0, length)).toBe(sipHash(key, bytes.subarray(0, length)));
    }
  });

  // The part of an array between two offsets.
  test("hashes a part of an array", () => {
    const bytes = Uint8Array.from({ length: 64 }, (_, i) => i * 7);
    expect(hashOf(new SipHash(KEY), bytes, 5, 42)).toBe(sipHash(KEY, bytes.subarray(5, 42)));
  });
});
