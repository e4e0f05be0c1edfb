import { describe, expect, test } from "bun:test";
import { UdpEpisode } from "./udp_episode.ts";

describe("UDP that gets packets of every kind", () => {
  // Datagrams whole and in fragments, damaged and cut ones, ICMP errors; sockets and flows come and
  // go meanwhile. After each step everything is counted once and within its bounds; what was read
  // is whole and the reader's own; in the end nothing is left.
  for (let seed = 1; seed <= 8; seed++) {
    test(`neither throws nor leaks nor mixes up, seed ${seed}`, () => {
      const episode = new UdpEpisode(seed);
      try {
        episode.run(8000);
      } catch (error) {
        throw new Error(`packet ${episode.packets} of seed ${seed}: ${(error as Error).message}`, {
          cause: error,
        });
      }
      // It is worth looking at.
      expect(episode.read).toBeGreaterThan(300);
      expect(episode.sent).toBeGreaterThan(100);
    });
  }
});
