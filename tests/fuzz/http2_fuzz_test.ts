import { describe, expect, test } from "bun:test";
import { HpackEpisode, Http2Episode } from "./http2_episode.ts";

describe("HTTP/2 that receives frames of every kind", () => {
  // Requests, data, settings, windows, resets and invalid frames, split anywhere, some of them
  // corrupted; an application that answers, reads and resets at any time. Nothing throws, no window
  // is exceeded in either direction, and the output consists of valid frames.
  for (let seed = 1; seed <= 4; seed++) {
    test(`neither throws nor exceeds a window, seed ${seed}`, () => {
      const episode = new Http2Episode(seed);
      try {
        episode.run(5000);
      } catch (error) {
        throw new Error(`input ${episode.inputs} of seed ${seed}: ${(error as Error).message}`, {
          cause: error,
        });
      }
      // Ensures that enough of them are processed.
      expect(episode.requests).toBeGreaterThan(1000);
      expect(episode.frames).toBeGreaterThan(5000);
      expect(episode.faults.size).toBeGreaterThan(3);
    });
  }
});

describe("HPACK that receives blocks of every kind", () => {
  // Intact blocks are decoded; corrupted ones are refused, or decoded as other fields. The table is
  // never larger than allowed, and its size is that of its entries.
  test("neither throws nor miscounts its table", () => {
    const episode = new HpackEpisode(1);
    episode.run(20_000);
    expect(episode.fields).toBeGreaterThan(10_000);
    expect(episode.faults).toBeGreaterThan(1000);
  });
});
