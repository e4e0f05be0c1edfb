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

describe("a stack that gets packets of every kind", () => {
  const met = new Set<TcpState>();

  // Segments near the truth, damaged ones, ICMP errors, fragments and noise, both families and
  // profiles. The connection's invariants hold after each packet; when everybody has gone nothing is
  // left.
  for (let seed = 1; seed <= EPISODES; seed++) {
    test(`neither throws nor leaks nor gets stuck, seed ${seed}`, () => {
      const result = fuzz(seed, EPISODE_PACKETS);
      expect(result.packets).toBeGreaterThanOrEqual(EPISODE_PACKETS);
      expect(result.sent).toBeGreaterThan(1000);
      for (const [state, count] of result.met) if (count >= 100) met.add(state);
    });
  }

  // What is drawn stays worth looking at.
  test("is met in every state", () => {
    expect(STATES.filter((state) => !met.has(state))).toEqual([]);
  });
});
