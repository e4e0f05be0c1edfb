import { describe, expect, test } from "bun:test";
import { REPLAY_WINDOW, ReplayWindow } from "../../../../core/stack/peers/replay_window.ts";

const START = 1_796_000_000_000 * 1024;

describe("ReplayWindow", () => {
  // In any order within the window, each number once.
  test("takes every number once", () => {
    const window = new ReplayWindow();
    const numbers = Array.from({ length: 5000 }, (_, i) => START + (i ^ 511));
    expect(numbers.every((number) => window.take(number))).toBe(true);
    expect(numbers.some((number) => window.take(number))).toBe(false);
  });

  // It is no longer known whether a number below the window was seen (RFC 4303 3.4.3).
  test("refuses numbers below the window", () => {
    const window = new ReplayWindow();
    expect(window.take(START + REPLAY_WINDOW)).toBe(true);
    expect(window.take(START)).toBe(false);
    expect(window.take(START + 1)).toBe(true);
  });

  // The sender has restarted: its numbers start at its clock, far above.
  test("takes numbers after a jump, and forgets those before", () => {
    const window = new ReplayWindow();
    for (let i = 0; i < 100; i++) window.take(START + i);
    expect(window.take(START + 10_000_000)).toBe(true);
    expect(window.take(START + 10_000_000 - REPLAY_WINDOW + 1)).toBe(true);
    expect(window.take(START + 99)).toBe(false);
  });
});
