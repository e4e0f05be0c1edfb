import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { Queue } from "../../../core/buffers/queue.ts";
import { assert } from "../../support/assert.ts";

describe("Queue", () => {
  // Compared with a plain array, long enough to grow and wrap.
  test("returns items in FIFO order", () => {
    const random = seededRandom(1);
    const queue = new Queue<number>();
    const expected: number[] = [];
    for (let i = 0; i < 50_000; i++) {
      const grows = Math.floor(i / 10_000) % 2 === 0;
      if (random.fraction() < (grows ? 0.7 : 0.3)) {
        queue.push(i);
        expected.push(i);
      } else {
        assert(queue.shift() === expected.shift(), `item ${i} is in its place`);
      }
      assert(queue.count === expected.length, `the count after step ${i}`);
    }
  });

  // A queue that was long releases its memory when it becomes empty.
  test("works after a long queue has become empty", () => {
    const queue = new Queue<number>();
    for (const length of [1, 3000, 5]) {
      for (let i = 0; i < length; i++) queue.push(i);
      for (let i = 0; i < length; i++) expect(queue.shift()).toBe(i);
      expect(queue.shift()).toBe(undefined);
    }
  });

  test("shift returns undefined if it is empty", () => {
    const queue = new Queue<number>();
    expect(queue.shift()).toBe(undefined);
    queue.push(1);
    expect([queue.shift(), queue.shift()]).toEqual([1, undefined]);
  });
});
