import { describe, expect, test } from "bun:test";
import {
  instanceOf,
  markDifference,
  markOffset,
  MAX_INSTANCES,
  MAX_MARK_AGE,
} from "../../../../core/stack/peers/instance_mark.ts";

/** Wall clock, in milliseconds; near a multiple of 2^32, so that timestamps wrap. */
const WALL = 418 * 2 ** 32 - 5000;

describe("instance mark", () => {
  // Every number, with hashes of both signs, and ages from that of a clock that is ahead to the largest.
  test("identifies the instance by an echoed timestamp", () => {
    for (let instance = 0; instance < MAX_INSTANCES; instance++) {
      for (const hash of [0, 1, -1, 0x7fffffff, -0x80000000, 0x12345678]) {
        for (const age of [-3_600_000, 0, 1, 200, 60_000, 7_200_000, MAX_MARK_AGE - 100]) {
          for (const clock of [0, 12_345.75, 86_400_000]) {
            const tsVal = (Math.floor(clock) + hash + markOffset(instance, WALL - clock)) | 0;
            expect(instanceOf(tsVal, hash, WALL + age)).toBe(instance);
          }
        }
      }
    }
  });

  // SYN cookies keep options in the low six bits, relative to the clock of the stack.
  test("leaves the low six bits to SYN cookies", () => {
    for (const wall of [WALL, WALL + 1, WALL + 63.5]) {
      expect(markOffset(17, wall) & 63).toBe(0);
    }
  });

  // A connection that another instance takes over continues the timestamps of the first.
  test("has the difference between two instances", () => {
    const [one, other] = [markOffset(3, WALL), markOffset(61, WALL)];
    expect((one + markDifference(3, 61)) | 0).toBe(other);
    expect((other + markDifference(61, 3)) | 0).toBe(one);
  });
});
