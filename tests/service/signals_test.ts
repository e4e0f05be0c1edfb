import { describe, expect, test } from "bun:test";
import { EndSignals } from "../../adapters/service/signals.ts";

describe("EndSignals", () => {
  // Ctrl+C under `bun run`: the terminal's and the one that is passed on; then the user's second.
  test("takes a signal that is passed on for one", () => {
    const signals = new EndSignals();
    expect(signals.take("SIGINT", 1000)).toBe("stop");
    expect(signals.take("SIGINT", 1000)).toBe("the same");
    expect(signals.take("SIGINT", 1499)).toBe("the same");
    expect(signals.take("SIGINT", 1500)).toBe("end at once");
  });

  // Nobody passes on another signal than has come.
  test("ends at once at another signal", () => {
    const signals = new EndSignals();
    expect(signals.take("SIGTERM", 1000)).toBe("stop");
    expect(signals.take("SIGINT", 1001)).toBe("end at once");
  });
});
