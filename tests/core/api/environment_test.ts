import { describe, expect, test } from "bun:test";
import { systemClock } from "../../../core/api/environment.ts";

/** Resolves after the runtime's timers have run. */
const turn = () => new Promise((resolve) => setTimeout(resolve, 20));

describe("systemClock", () => {
  // A runtime's timer has 31 bits of milliseconds; a longer one would fire at once.
  test.each([2 ** 31 + 1000, 1e12, Infinity])(
    "does not wake a timer of %d ms early",
    async (ms) => {
      let woken = false;
      const cancel = systemClock.schedule(systemClock.now() + ms, () => woken = true);
      await turn();
      cancel();
      expect(woken).toBe(false);
    },
  );

  // A time in the past is due at once.
  test("wakes at once for a time in the past, unless cancelled", async () => {
    const woken: string[] = [];
    systemClock.schedule(systemClock.now() - 1000, () => woken.push("late"));
    systemClock.schedule(systemClock.now(), () => woken.push("cancelled"))();
    await turn();
    expect(woken).toEqual(["late"]);
  });
});
