import process from "node:process";
import { describe, expect, test } from "bun:test";
import { seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { assertOutcome } from "./outcome.ts";
import { Draw, randomScenario } from "./scenario.ts";
import { type Move, type Scenario, World } from "./world.ts";

/** 10,000 with `BERTH_MOVE_SEEDS=10000`. */
const SEEDS = Number(process.env["BERTH_MOVE_SEEDS"] ?? 1000);
const SEEDS_PER_TEST = 250;
const TEST_LIMIT_MS = 120_000;

/** A random scenario in which connections move one to three times, from either side. */
function movingScenario(seed: number): Scenario {
  const scenario = randomScenario(seed);
  const draw = new Draw(seededRandom(seed + 0x3_0000_0001));
  const count = draw.of([1, 1, 2, 3]);
  const moves = Array.from({ length: count }, (): Move => ({
    side: draw.of([0, 1] as const),
    at: 1000 + draw.of([1, 5, 20, 100, 1000, 10_000]) * seededRandom(seed + count).fraction() +
      draw.of([0, 3, 50, 400]),
    pauseMs: draw.of([0, 0.5, 20, 300]),
    rerouteMs: draw.of([0, 10, 1000]),
  }));
  // A new connection would belong to the old stack while packets still reach that stack.
  return { ...scenario, again: [], moves };
}

function simulate(seed: number): { outcome: string; moved: number } {
  const world = new World(movingScenario(seed));
  try {
    return { outcome: assertOutcome(world.start().run()), moved: world.moved };
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    throw new Error(`seed ${seed}: ${reason}`);
  }
}

describe("connections that move while the wire loses, reorders and corrupts", () => {
  // The same scenarios as in random_test.ts, but one side freezes its connections at a random moment and
  // another stack, whose clock and secrets are different, thaws them. The invariants hold after every
  // step, and every byte arrives once and in order.
  for (let first = 1; first <= SEEDS; first += SEEDS_PER_TEST) {
    const last = first + SEEDS_PER_TEST - 1;
    test(`deliver every byte once and in order, seeds ${first} to ${last}`, () => {
      let complete = 0;
      let moved = 0;
      for (let seed = first; seed <= last; seed++) {
        const result = simulate(seed);
        if (result.outcome === "complete") complete++;
        moved += result.moved;
      }
      // Ensures that the scenarios are varied, and that connections do move.
      expect(complete).toBeGreaterThan(SEEDS_PER_TEST * 0.65);
      expect(moved).toBeGreaterThan(SEEDS_PER_TEST * 0.65);
    }, TEST_LIMIT_MS);
  }
});
