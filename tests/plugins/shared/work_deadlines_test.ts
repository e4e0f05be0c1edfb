import { describe, expect, test } from "bun:test";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import { WorkDeadlines } from "../../../plugins/shared/work_deadlines.ts";

/** Work that notes when it expires. */
function setUp() {
  const clock = new VirtualClock();
  const deadlines = new WorkDeadlines(10);
  const expired: string[] = [];
  const begin = (name: string) => {
    const work = { expire: () => expired.push(`${name} at ${clock.now() - began}`) };
    const queue = deadlines.begin(clock, work);
    return () => queue.end(work);
  };
  const began = clock.now();
  return { clock, begin, expired };
}

describe("WorkDeadlines", () => {
  // Three begin at 0, 4 and 8 ms; the second one ends in time.
  test("calls back at the time of each, with one timer", async () => {
    const { clock, begin, expired } = setUp();
    begin("first");
    await clock.advance(4);
    const end = begin("second");
    await clock.advance(4);
    begin("third");
    expect(clock.pending).toBe(1);
    end();
    await clock.advance(100);
    expect(expired).toEqual(["first at 10", "third at 18"]);
    expect(clock.pending).toBe(0);
  });

  // The timer is the first one's.
  test("waits for the others if the first ends early", async () => {
    const { clock, begin, expired } = setUp();
    const end = begin("first");
    await clock.advance(3);
    begin("second");
    end();
    await clock.advance(9);
    expect(expired).toEqual([]);
    await clock.advance(1);
    expect(expired).toEqual(["second at 13"]);
  });

  // A timer would keep the process alive.
  test("leaves no timer behind", () => {
    const { clock, begin } = setUp();
    const ends = [begin("first"), begin("second")];
    for (const end of ends) end();
    expect(clock.pending).toBe(0);
    begin("third")();
    expect(clock.pending).toBe(0);
  });
});
