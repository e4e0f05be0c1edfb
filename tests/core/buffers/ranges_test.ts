import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { Ranges } from "../../../core/buffers/ranges.ts";
import { assert } from "../../support/assert.ts";

/** Model: one flag for each number from 0 to `SPAN`. */
const SPAN = 300;

function flagsOf(ranges: Ranges, origin: number): boolean[] {
  const flags = new Array<boolean>(SPAN).fill(false);
  for (let i = 0; i < ranges.count; i++) {
    const from = (ranges.starts[i]! - origin) | 0;
    const to = (ranges.ends[i]! - origin) | 0;
    flags.fill(true, from, to);
    // Disjoint, sorted and not empty.
    assert(to > from, "no range is empty");
    assert(i === 0 || from > ((ranges.ends[i - 1]! - origin) | 0), "ranges do not touch");
  }
  return flags;
}

/** The result of `appendLatest`. */
function latest(ranges: Ranges, most: number): number[] {
  const pairs: number[] = [];
  ranges.appendLatest(pairs, most);
  return pairs;
}

function isIn(point: number, start: number, end: number): boolean {
  return ((point - start) | 0) >= 0 && ((point - end) | 0) < 0;
}

function isSame(a: readonly boolean[], b: readonly boolean[]): boolean {
  return a.every((flag, i) => flag === b[i]);
}

describe("Ranges", () => {
  // Compared with one flag per number, also where sequence numbers wrap.
  test.each([0, -150, 2 ** 31 - 150])(
    "match a set of numbers that starts at %d (RFC 9293 3.4)",
    (origin) => {
      const random = seededRandom(2);
      for (let round = 0; round < 200; round++) {
        const ranges = new Ranges(1000);
        const expected = new Array<boolean>(SPAN).fill(false);
        for (let i = 0; i < 30; i++) {
          const start = 20 + random.uint32() % 240;
          const end = start + 1 + random.uint32() % 30;
          assert(ranges.add((origin + start) | 0, (origin + end) | 0), "there is room");
          expected.fill(true, start, end);
          assert(isSame(flagsOf(ranges, origin), expected), "the ranges are what was added");
          const probe = random.uint32() % (SPAN - 20);
          const at = (origin + probe) | 0;
          const found = ranges.indexOfOverlap(at, (at + 5) | 0);
          const overlaps = expected.slice(probe, probe + 5).some(Boolean);
          assert((found >= 0) === overlaps, "indexOfOverlap finds what is there");
          const [latestStart, latestEnd] = latest(ranges, 1);
          assert(isIn(origin + start, latestStart!, latestEnd!), "the latest range is first");
        }
        const point = expected.indexOf(true);
        const end = expected.indexOf(false, point);
        const taken = ranges.takeFrom((origin + point) | 0);
        assert(taken === ((origin + end) | 0), "takeFrom gives the end of the range");
        expected.fill(false, 0, end);
        assert(isSame(flagsOf(ranges, origin), expected), "the rest is left");
      }
    },
  );

  // Nothing is removed if there is a gap before the first range.
  test("takeFrom returns the point itself if no range touches it", () => {
    const ranges = new Ranges(4);
    ranges.add(10, 20);
    expect(ranges.takeFrom(9)).toBe(9);
    expect(ranges.count).toBe(1);
    expect(ranges.takeFrom(10)).toBe(20);
    expect(ranges.count).toBe(0);
  });

  // The limit is on the number of ranges, so one that merges with others is always accepted.
  test("add refuses a range beyond the limit and changes nothing", () => {
    const ranges = new Ranges(3);
    for (const start of [10, 30, 50]) expect(ranges.add(start, start + 5)).toBe(true);
    expect(ranges.add(70, 75)).toBe(false);
    expect(ranges.add(0, 5)).toBe(false);
    expect(ranges.starts).toEqual([10, 30, 50]);
    expect(ranges.add(15, 30)).toBe(true);
    expect([ranges.starts, ranges.ends]).toEqual([[10, 50], [35, 55]]);
  });

  // Adding to a range, or merging two, makes it the latest; the others keep their order.
  test("appendLatest returns the most recently changed ranges first (RFC 2018 4)", () => {
    const ranges = new Ranges(10);
    for (const start of [100, 500, 300, 700, 900]) ranges.add(start, start + 50);
    expect(latest(ranges, 3)).toEqual([900, 950, 700, 750, 300, 350]);
    ranges.add(510, 520);
    expect(latest(ranges, 2)).toEqual([500, 550, 900, 950]);
    ranges.add(150, 300);
    expect(latest(ranges, 9)).toEqual([100, 350, 500, 550, 900, 950, 700, 750]);
    ranges.takeFrom(120);
    expect(latest(ranges, 9)).toEqual([500, 550, 900, 950, 700, 750]);
    expect(latest(ranges, 0)).toEqual([]);
  });
});
