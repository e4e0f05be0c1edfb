import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { IpAddress } from "../../../core/wire/address.ts";
import { addBytes, finish, fold, pseudoHeaderSum } from "../../../core/wire/checksum.ts";

/** RFC 1071 1, word by word. */
function naive(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return ~sum & 0xffff;
}

describe("checksum", () => {
  // RFC 1071 3: the sum of 00 01 f2 03 f4 f5 f6 f7 is ddf2.
  test("fold returns the sum of the RFC's example (RFC 1071 3)", () => {
    const bytes = Uint8Array.of(0x00, 0x01, 0xf2, 0x03, 0xf4, 0xf5, 0xf6, 0xf7);
    expect(fold(addBytes(0, bytes, 0, 8))).toBe(0xddf2);
    expect(finish(addBytes(0, bytes, 0, 8))).toBe(0x220d);
  });

  // Lengths around the threshold of 128 bytes, every alignment and both parities.
  test("addBytes equals the naive sum at every alignment and length (RFC 1071 1)", () => {
    const random = seededRandom(1);
    const bytes = new Uint8Array(70_000);
    random.fill(bytes);
    const lengths = [...Array(300).keys(), 1499, 1500, 9001, 65_535, 65_536];
    for (const length of lengths) {
      for (let offset = 0; offset < 8; offset++) {
        const view = new Uint8Array(bytes.buffer, offset >> 1, 69_000);
        const start = offset - (offset >> 1);
        const sum = addBytes(0, view, start, start + length);
        expect(finish(sum)).toBe(naive(view.subarray(start, start + length)));
      }
    }
  });

  // The largest words, more than any packet can hold: nothing overflows.
  test("addBytes does not overflow (RFC 1071 2)", () => {
    const bytes = new Uint8Array(1024 * 1024 + 8).fill(0xff);
    for (
      const length of [65_536, 262_142, 262_144, 262_146, 262_148, 1024 * 1024, 1024 * 1024 + 6]
    ) {
      for (const start of [0, 2]) {
        expect(fold(addBytes(0xffff * 20, bytes, start, start + length))).toBe(0xffff);
      }
    }
  });

  // Summing in two parts gives the same result if the first has an even length.
  test("addBytes continues a sum (RFC 1071 2(A))", () => {
    const random = seededRandom(2);
    const bytes = new Uint8Array(1000);
    random.fill(bytes);
    for (let cut = 0; cut <= 1000; cut += 2) {
      const sum = addBytes(addBytes(0, bytes, 0, cut), bytes, cut, 1000);
      expect(finish(sum)).toBe(naive(bytes));
    }
  });

  // 10.0.0.1 to 10.0.0.2, TCP, 20 bytes; and the same with fd00::1 and fd00::2.
  test("pseudoHeaderSum covers addresses, protocol and length (RFC 9293 3.1, RFC 8200 8.1)", () => {
    const v4 = [IpAddress.parse("10.0.0.1")!, IpAddress.parse("10.0.0.2")!] as const;
    expect(pseudoHeaderSum(...v4, 6, 20)).toBe(0x0a00 + 1 + 0x0a00 + 2 + 6 + 20);
    const v6 = [IpAddress.parse("fd00::1")!, IpAddress.parse("fd00::2")!] as const;
    expect(pseudoHeaderSum(...v6, 6, 20)).toBe(0xfd00 + 1 + 0xfd00 + 2 + 6 + 20);
    expect(pseudoHeaderSum(...v6, 6, 0x1_0005)).toBe(0xfd00 + 1 + 0xfd00 + 2 + 6 + 1 + 5);
  });
});
