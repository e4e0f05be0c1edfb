import { describe, expect, test } from "bun:test";
import { assertOutcome } from "./outcome.ts";
import { randomScenario } from "./scenario.ts";
import { World } from "./world.ts";

const SEEDS = 1000;
const SEEDS_PER_TEST = 250;

function simulate(seed: number): string {
  try {
    return assertOutcome(new World(randomScenario(seed)).start().run());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: ${reason}\nreplay: bun tests/sim/replay.ts ${seed}`);
  }
}

describe("two stacks on a wire that loses, reorders, duplicates and corrupts", () => {
  // Profiles, families, offload, buffers, habits and faults are drawn from the seed. After every
  // step the invariants of both connections hold; in the end nothing is left of them.
  for (let first = 1; first <= SEEDS; first += SEEDS_PER_TEST) {
    const last = first + SEEDS_PER_TEST - 1;
    test(`deliver every byte once and in order, seeds ${first} to ${last}`, () => {
      const outcomes = new Map<string, number>();
      for (let seed = first; seed <= last; seed++) {
        const outcome = simulate(seed);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      // What is drawn stays worth looking at.
      expect(outcomes.get("complete")).toBeGreaterThan(SEEDS_PER_TEST * 0.65);
      expect(outcomes.get("no handshake") ?? 0).toBeLessThan(SEEDS_PER_TEST * 0.12);
    });
  }
});
