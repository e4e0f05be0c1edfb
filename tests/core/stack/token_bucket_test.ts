import { describe, expect, test } from "bun:test";
import { TokenBucket } from "../../../core/stack/token_bucket.ts";

describe("TokenBucket", () => {
  // Full at first; then one token every 100 ms, up to the burst size.
  test("refills at its rate, up to its burst size", () => {
    const bucket = new TokenBucket(10, 3, 1000);
    const takes = (now: number, times: number) =>
      Array.from({ length: times }, () => bucket.take(now)).filter((taken) => taken).length;
    expect(takes(1000, 5)).toBe(3);
    expect(takes(1099, 1)).toBe(0);
    expect(takes(1200, 5)).toBe(2);
    expect(takes(1_000_000, 10)).toBe(3);
  });

  // Future tokens are reserved one after the other.
  test("returns when reserved tokens will be available", () => {
    const bucket = new TokenBucket(1000, 100, 0);
    expect([100, 50, 50].map((count) => bucket.reserve(count, 0))).toEqual([0, 50, 100]);
    expect(bucket.reserve(10, 100)).toBe(110);
    expect(bucket.reserve(100, 1000)).toBe(1000);
  });
});
