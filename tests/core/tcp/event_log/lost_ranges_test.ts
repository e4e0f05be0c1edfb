import { describe, expect, test } from "bun:test";
import { lostRanges, newlyLost } from "../../../../core/tcp/event_log/lost_ranges.ts";
import { Scoreboard } from "../../../../core/tcp/recovery/scoreboard.ts";

describe("lostRanges", () => {
  // Ranges are sent one by one; a loss often covers several.
  test("joins adjacent ranges, across the wrap of sequence numbers too", () => {
    const scoreboard = new Scoreboard();
    const start = 0x7fff_ff00;
    for (let i = 0; i < 6; i++) {
      scoreboard.sent((start + i * 100) | 0, (start + i * 100 + 100) | 0, 0);
    }
    expect(lostRanges(scoreboard)).toEqual([]);
    for (const i of [1, 2, 3, 5]) scoreboard.markLost(scoreboard.at(i));
    expect(lostRanges(scoreboard)).toEqual([
      [(start + 100) | 0, (start + 400) | 0],
      [(start + 500) | 0, (start + 600) | 0],
    ]);
  });
});

describe("newlyLost", () => {
  // Acknowledgements shorten a known range, further losses extend it.
  test.each([
    [[[0, 10]], [], [[0, 10]]],
    [[[0, 10]], [[0, 10]], []],
    [[[5, 10]], [[0, 10]], []],
    [[[0, 20]], [[0, 10]], [[10, 20]]],
    [[[0, 30]], [[10, 20]], [[0, 10], [20, 30]]],
    [[[0, 10], [20, 30]], [[20, 30]], [[0, 10]]],
    [[[-10, 10]], [[-20, -5]], [[-5, 10]]],
    [[[0, 10]], [[10, 20]], [[0, 10]]],
  ])("of %j, when %j are known, are %j", (ranges, known, expected) => {
    expect(newlyLost(ranges as never, known as never)).toEqual(expected as never);
  });
});
