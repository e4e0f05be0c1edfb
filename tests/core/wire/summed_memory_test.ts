import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { addBytes, fold } from "../../../core/wire/checksum.ts";
import { checksumModule, MAX_SUMMED } from "../../../core/wire/checksum_module.ts";
import {
  briefView,
  quickSum,
  summedMemory,
  type WebAssemblyLike,
} from "../../../core/wire/summed_memory.ts";

/** RFC 1071 1, word by word: the sum before it is complemented. */
function naive(bytes: Uint8Array): number {
  let sum = 0;
  for (let i = 0; i < bytes.length; i += 2) {
    sum += bytes[i]! * 256 + (bytes[i + 1] ?? 0);
    if (sum > 0xffff) sum -= 0xffff;
  }
  return sum;
}

function sumOf(bytes: Uint8Array, start: number, end: number): number {
  return fold(addBytes(0, bytes, start, end));
}

/** Random bytes in summed memory, `skipped` bytes after its start. */
function randomBytes(seed: number, size: number, skipped = 0): Uint8Array {
  const bytes = summedMemory(skipped + size).subarray(skipped);
  seededRandom(seed).fill(bytes);
  return bytes;
}

describe("summed memory", () => {
  // The tests below rely on WebAssembly being used on both runtimes.
  test("is summed by WebAssembly, and ordinary memory is not", () => {
    expect(quickSum(summedMemory(1500), 0, 1500)).toBe(0);
    expect(quickSum(new Uint8Array(1500), 0, 1500)).toBeUndefined();
  });

  // Every alignment, and every length around the step of 32 bytes.
  test("gives the naive sum at every alignment and length (RFC 1071 1)", () => {
    for (const skipped of [0, 1]) {
      const bytes = randomBytes(1, 70_100, skipped);
      for (const length of [...Array(200).keys(), 1499, 1500, 9001, 65_535, 65_536]) {
        for (let start = 0; start < 5; start++) {
          const expected = naive(bytes.subarray(start, start + length));
          expect(sumOf(bytes, start, start + length)).toBe(expected);
          expect(swapped(quickSum(bytes, start, start + length)!)).toBe(expected);
        }
      }
    }
  });

  // Random ranges, longer than any packet.
  test("gives the naive sum for random ranges", () => {
    const random = seededRandom(2);
    const bytes = randomBytes(3, 140_000);
    for (let i = 0; i < 300; i++) {
      const start = Math.floor(random.fraction() * 70_000);
      const end = start + Math.floor(random.fraction() * 70_001);
      expect(sumOf(bytes, start, end)).toBe(naive(bytes.subarray(start, end)));
    }
  });

  // Adjacent bytes do not affect the sum.
  test("sums only the given range", () => {
    const bytes = summedMemory(1000).fill(0xff);
    bytes.fill(0, 301, 700);
    expect(sumOf(bytes, 301, 700)).toBe(0);
    expect(sumOf(bytes, 301, 701)).toBe(0x00ff);
    expect(sumOf(bytes, 300, 700)).toBe(0xff00);
  });

  // The largest words, as many as the lanes can hold, and one step more, which falls back to
  // JavaScript.
  test("does not overflow with the largest words (RFC 1071 2)", () => {
    const bytes = summedMemory(MAX_SUMMED + 32).fill(0xff);
    for (const length of [40 + 65_535, MAX_SUMMED - 1, MAX_SUMMED, MAX_SUMMED + 32]) {
      expect(sumOf(bytes, 0, length)).toBe(length % 2 === 0 ? 0xffff : 0xff00);
    }
    expect(quickSum(bytes, 0, MAX_SUMMED)).toBe(0xffff);
    expect(quickSum(bytes, 0, MAX_SUMMED + 1)).toBeUndefined();
  });

  // Summing in two parts gives the same result if the first has an even length.
  test("continues a sum (RFC 1071 2(A))", () => {
    const bytes = randomBytes(4, 1000);
    for (let cut = 0; cut <= 1000; cut += 2) {
      const sum = addBytes(addBytes(0, bytes, 0, cut), bytes, cut, 1000);
      expect(fold(sum)).toBe(naive(bytes));
    }
  });

  // Each memory has its own function; that of another would sum the wrong bytes.
  test("keeps several memories apart", () => {
    const [one, other] = [randomBytes(5, 3000), randomBytes(6, 3000)];
    for (const bytes of [one, other, one]) expect(sumOf(bytes, 0, 3000)).toBe(naive(bytes));
  });

  // Buffers cut from it are adjacent, zero, and inside the memory.
  test("has the requested size and is zeroed", () => {
    for (const size of [0, 1, 65_536, 64 * 65_575]) {
      const bytes = summedMemory(size);
      expect(bytes.length).toBe(size);
      expect(bytes.every((byte) => byte === 0)).toBe(true);
    }
  });
});

describe("briefView", () => {
  // Views that start on the same page replace each other in the cache; each call still returns the
  // right one.
  test("returns the same bytes as subarray(), regardless of earlier views", () => {
    const memory = randomBytes(8, 200_000, 3);
    const random = seededRandom(9);
    for (const bytes of [memory, memory.subarray(100), memory.slice()]) {
      for (let i = 0; i < 500; i++) {
        const start = Math.floor(random.fraction() * 50) * 2000;
        const end = start + Math.floor(random.fraction() * 3);
        for (let times = 0; times < 2; times++) {
          const view = briefView(bytes, start, end);
          const expected = bytes.subarray(start, end);
          expect(view).toEqual(expected);
          expect(view.byteOffset).toBe(expected.byteOffset);
          expect(view.buffer).toBe(expected.buffer);
        }
      }
    }
  });

  // Bulk data arrives in segments of equal size in the same buffers.
  test("reuses the view for packets of equal size in the same buffer", () => {
    const memory = summedMemory(64 * 65_575);
    const buffers = Array.from({ length: 64 }, (_, i) => memory.subarray(i * 65_575));
    const views = buffers.map((buffer) => briefView(buffer, 52, 1500));
    expect(new Set(views).size).toBe(64);
    buffers.forEach((buffer, i) => expect(briefView(buffer, 52, 1500)).toBe(views[i]!));
  });
});

describe("without WebAssembly", () => {
  const refused = () => {
    throw new Error("refused");
  };
  const host = (globalThis as unknown as { WebAssembly: WebAssemblyLike }).WebAssembly;
  const incapable = [
    // Engines without SIMD, pages whose Content-Security-Policy forbids WebAssembly, exhausted
    // address space.
    ["memory but no module", { ...pick(host), Module: refused }],
    ["no memory", { ...pick(host), Memory: refused }],
    ["nothing at all", {}],
  ] as const;

  // The sums, computed in JavaScript, are the same.
  test.each(incapable)("ordinary bytes are used: %s", (_, webAssembly) => {
    const bytes = summedMemory(5000, webAssembly as unknown as WebAssemblyLike);
    seededRandom(7).fill(bytes);
    expect(bytes.length).toBe(5000);
    expect(quickSum(bytes, 0, 5000)).toBeUndefined();
    expect(sumOf(bytes, 3, 4999)).toBe(naive(bytes.subarray(3, 4999)));
  });
});

describe("checksumModule", () => {
  // It is compiled synchronously, which browsers refuse on the main thread for modules above 4 KiB.
  test("is small", () => {
    expect(checksumModule().length).toBeLessThan(1024);
  });
});

function pick({ Memory, Module, Instance }: WebAssemblyLike): WebAssemblyLike {
  return { Memory, Module, Instance };
}

function swapped(sum: number): number {
  return ((sum & 0xff) << 8) | (sum >>> 8);
}
