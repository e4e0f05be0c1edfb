import { describe, expect, test } from "bun:test";
import { systemClock } from "../../../core/api/environment.ts";

/** Resolves when timers of the runtime have had their turns. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

describe("systemClock", () => {
  // A runtime's timer takes 31 bits of milliseconds, and one that is longer for none at all.
  test.each([2 ** 31 + 1000, 1e12, Infinity])("does not wake %d ms too early", async (ms) => {
    let woken = false;
    const cancel = systemClock.schedule(systemClock.now() + ms, () => woken = true);
    await turn();
    cancel();
    expect(woken).toBe(false);
  });

  // The time that has passed is soon enough.
  test("wakes at once where it is late, unless it is cancelled", async () => {
    const woken: string[] = [];
    systemClock.schedule(systemClock.now() - 1000, () => woken.push("late"));
    systemClock.schedule(systemClock.now(), () => woken.push("cancelled"))();
    await turn();
    expect(woken).toEqual(["late"]);
  });
});
