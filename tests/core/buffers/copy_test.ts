import { describe, expect, test } from "bun:test";
import { copyBytes } from "../../../core/buffers/copy.ts";
import { summedMemory } from "../../../core/wire/summed_memory.ts";

describe("copyBytes", () => {
  const source = Uint8Array.from({ length: 300 }, (_, i) => i % 251);

  const summed = summedMemory(300);
  summed.set(source);

  // Short and long copies use different code; bytes around the target are not touched.
  for (const length of [0, 1, 7, 8, 9, 40, 95, 96, 97, 200, 300]) {
    test(`copies ${length} bytes and no more`, () => {
      for (const [from, bytes] of [[0, source], [300 - length, source], [0, summed]] as const) {
        const target = new Uint8Array(320).fill(255);
        copyBytes(bytes, from, from + length, target, 10);
        const expected = new Uint8Array(320).fill(255);
        expected.set(source.slice(from, from + length), 10);
        expect(target).toEqual(expected);
      }
    });
  }
});
