import { describe, expect, test } from "bun:test";
import { FrozenEpisode } from "./frozen_episode.ts";

describe("records of frozen connections with changed bytes", () => {
  // Records from the middle of simulated transfers, with fields set to other numbers, bits flipped and ends
  // cut off. A stack refuses them, or has a connection that sends, reads, times out and closes; neither
  // throws.
  for (let seed = 1; seed <= 3; seed++) {
    test(`neither throw nor hang, seed ${seed}`, () => {
      const episode = new FrozenEpisode(seed);
      episode.run(3000);
      // Ensures that both happen, for many reasons.
      expect(episode.accepted).toBeGreaterThan(300);
      expect(episode.faults.size).toBeGreaterThan(20);
    }, 60_000);
  }
});
