import { describe, expect, test } from "bun:test";
import { EndSignals, ignores } from "../../../../adapters/service/cli/signals.ts";

describe("EndSignals", () => {
  // Ctrl+C under `bun run`: the terminal's signal and the forwarded one; then the user's second.
  test("counts a forwarded signal once", () => {
    const signals = new EndSignals();
    expect(signals.take("SIGINT", 1000)).toBe("stop");
    expect(signals.take("SIGINT", 1000)).toBe("the same");
    expect(signals.take("SIGINT", 1499)).toBe("the same");
    expect(signals.take("SIGINT", 1500)).toBe("end at once");
  });

  // A different signal was not forwarded.
  test("ends at once at another signal", () => {
    const signals = new EndSignals();
    expect(signals.take("SIGTERM", 1000)).toBe("stop");
    expect(signals.take("SIGINT", 1001)).toBe("end at once");
  });
});

describe("ignores", () => {
  // nohup(1) sets the first bit.
  test("finds a signal in /proc/self/status", () => {
    const status =
      "SigBlk:\t0000000000000000\nSigIgn:\t0000000000001001\nSigCgt:\tffffffffffffffff\n";
    expect([1, 2, 13, 15].map((signal) => ignores(status, signal)))
      .toEqual([true, false, true, false]);
    expect(ignores("", 1)).toBe(false);
  });
});
