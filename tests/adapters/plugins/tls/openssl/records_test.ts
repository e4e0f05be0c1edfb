import { describe, expect, test } from "bun:test";
import { RecordBoundaries } from "../../../../../adapters/plugins/tls/openssl/records.ts";

/** Records of application data with bodies of these lengths. */
function records(...lengths: number[]): Uint8Array {
  const parts = lengths.map((length) => [23, 3, 3, length >> 8, length & 255, ...Array(length)]);
  return Uint8Array.from(parts.flat());
}

/** The pieces in which a stream is passed to the library. */
function pieces(boundaries: RecordBoundaries, bytes: Uint8Array, room: number): number[] {
  const sizes: number[] = [];
  for (let at = 0; at < bytes.length;) {
    const size = boundaries.take(bytes, at, room);
    sizes.push(size);
    at += size;
  }
  return sizes;
}

describe("RecordBoundaries", () => {
  // 105, 15 and 305 bytes: with room for 200 the first two go together, the third alone.
  test("takes whole records as long as they fit", () => {
    const bytes = records(100, 10, 300);
    expect(pieces(new RecordBoundaries(), bytes, 200)).toEqual([120, 305]);
    expect(pieces(new RecordBoundaries(), bytes, 1000)).toEqual([425]);
    expect(pieces(new RecordBoundaries(), bytes, 0)).toEqual([105, 15, 305]);
  });

  // Most of a record has been passed on, and all of it will become plaintext, so it does not fit together with the
  // next record.
  test("counts the beginning of a record that was handed over before", () => {
    const boundaries = new RecordBoundaries();
    const bytes = records(1000, 10, 10);
    expect(boundaries.take(bytes.subarray(0, 900), 0, 500)).toBe(900);
    expect(pieces(boundaries, bytes.subarray(900), 500)).toEqual([105, 30]);
    expect(boundaries.take(bytes.subarray(0, 900), 0, 1030)).toBe(900);
    expect(pieces(boundaries, bytes.subarray(900), 1030)).toEqual([120, 15]);
  });

  // The stream in segments of each size: every piece ends at the end of a record or segment.
  test("follows records through segments of any size", () => {
    const bytes = records(0, 1, 50, 7, 300, 0);
    const ends = [5, 11, 66, 78, 383, 388];
    for (let segment = 1; segment <= bytes.length; segment++) {
      const boundaries = new RecordBoundaries();
      for (let at = 0; at < bytes.length; at += segment) {
        const part = bytes.subarray(at, at + segment);
        let end = at;
        for (const size of pieces(boundaries, part, 0)) {
          end += size;
          expect(ends.includes(end) || end === at + part.length).toBe(true);
        }
      }
      expect(boundaries.isAtStart).toBe(true);
    }
  });

  // A header that announces 65,535 bytes: refusing the length is left to the library.
  test("takes the available bytes of a record that is too long", () => {
    const boundaries = new RecordBoundaries();
    expect(boundaries.take(Uint8Array.from([23, 3, 3, 255, 255, 1, 2]), 0, 16_384)).toBe(7);
    expect(boundaries.isAtStart).toBe(false);
  });
});
