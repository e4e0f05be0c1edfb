import { describe, expect, test } from "bun:test";
import type { TcpState } from "../../core/tcp/state.ts";
import { EPISODE_PACKETS, fuzz } from "./fuzz.ts";

const EPISODES = 10;
const STATES: readonly TcpState[] = [
  "SYN-SENT",
  "SYN-RECEIVED",
  "ESTABLISHED",
  "FIN-WAIT-1",
  "FIN-WAIT-2",
  "CLOSE-WAIT",
  "CLOSING",
  "LAST-ACK",
  "TIME-WAIT",
];

describe("a stack that receives random packets", () => {
  const met = new Set<TcpState>();

  // Nearly valid segments, corrupted ones, ICMP errors, fragments and noise, in both families and
  // profiles. The invariants hold after each packet, and in the end no connection is left.
  for (let seed = 1; seed <= EPISODES; seed++) {
    test(`neither throws nor leaks nor gets stuck, seed ${seed}`, () => {
      const result = fuzz(seed, EPISODE_PACKETS);
      expect(result.packets).toBeGreaterThanOrEqual(EPISODE_PACKETS);
      expect(result.sent).toBeGreaterThan(1000);
      for (const [state, count] of result.met) if (count >= 100) met.add(state);
    });
  }

  // Ensures that the random packets reach every state.
  test("is reached in every state", () => {
    expect(STATES.filter((state) => !met.has(state))).toEqual([]);
  });
});
