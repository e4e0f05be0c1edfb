import { describe, expect, test } from "bun:test";
import { UdpEpisode } from "./udp_episode.ts";

describe("UDP that receives random packets", () => {
  // Whole, fragmented, corrupted and truncated datagrams and ICMP errors, while sockets and flows
  // are opened and closed. After each step everything is counted once and within its limits;
  // datagrams read are complete and delivered correctly; in the end nothing is left.
  for (let seed = 1; seed <= 8; seed++) {
    test(`neither throws nor leaks nor misdelivers, seed ${seed}`, () => {
      const episode = new UdpEpisode(seed);
      try {
        episode.run(8000);
      } catch (error) {
        throw new Error(`packet ${episode.packets} of seed ${seed}: ${(error as Error).message}`, {
          cause: error,
        });
      }
      // Ensures that enough datagrams are delivered.
      expect(episode.read).toBeGreaterThan(300);
      expect(episode.sent).toBeGreaterThan(100);
    });
  }
});
