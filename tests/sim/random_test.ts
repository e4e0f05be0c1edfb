import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { capture } from "./capture.ts";
import { assertOutcome } from "./outcome.ts";
import { randomScenario } from "./scenario.ts";
import { World } from "./world.ts";

const SEEDS = 10_000;
const SEEDS_PER_TEST = 500;
const TEST_LIMIT_MS = 60_000;

function simulate(seed: number): string {
  try {
    return assertOutcome(new World(randomScenario(seed)).start().run());
  } catch (error) {
    const reason = error instanceof Error ? error.message : String(error);
    const packets = capture(randomScenario(seed), `seed-${seed}`);
    throw new Error(
      `seed ${seed}: ${reason}\nreplay: bun tests/sim/replay.ts ${seed}\npackets: ${packets}`,
    );
  }
}

describe("two stacks on a wire that loses, reorders, duplicates and corrupts", () => {
  // Profiles, families, offload, buffers, application behaviour and faults are drawn from the seed.
  // The invariants of both connections hold after every step, and in the end no connection is left.
  for (let first = 1; first <= SEEDS; first += SEEDS_PER_TEST) {
    const last = first + SEEDS_PER_TEST - 1;
    test(`deliver every byte once and in order, seeds ${first} to ${last}`, () => {
      const outcomes = new Map<string, number>();
      for (let seed = first; seed <= last; seed++) {
        const outcome = simulate(seed);
        outcomes.set(outcome, (outcomes.get(outcome) ?? 0) + 1);
      }
      // Ensures that the scenarios are varied.
      expect(outcomes.get("complete")).toBeGreaterThan(SEEDS_PER_TEST * 0.65);
      expect(outcomes.get("no handshake") ?? 0).toBeLessThan(SEEDS_PER_TEST * 0.12);
    }, TEST_LIMIT_MS);
  }

  // A failing seed leaves a pcapng file with every packet of one side.
  test("are captured for the analysis of a seed", () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-"));
    try {
      const bytes = readFileSync(capture(randomScenario(1), "seed-1", folder));
      const types: number[] = [];
      for (let at = 0; at < bytes.length; at += bytes.readUInt32LE(at + 4)) {
        types.push(bytes.readUInt32LE(at));
      }
      expect(types.slice(0, 3)).toEqual([0x0a0d0d0a, 1, 6]);
      expect(types.length).toBeGreaterThan(5);
    } finally {
      rmSync(folder, { recursive: true });
    }
  });
});
