import { readFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import type { Cell } from "./cells.ts";
import { measure } from "./measure.ts";
import { shortGrid } from "./short.ts";

const BEFORE = readFileSync(new URL("short.txt", import.meta.url), "utf8");
const LIMIT_MS = 240_000;
/** The cells of the whole grid with the longest silences, in RTOs without backoff. */
const LONGEST_SILENCES: readonly Cell[] = [
  { congestion: "cubic", profile: "internet", rttMs: 1, mbit: 10, impairments: ["ACK loss 30 %"] },
  { congestion: "bbr", profile: "internet", rttMs: 100, mbit: 1, impairments: ["ACK loss 30 %"] },
  { congestion: "cubic", profile: "local", rttMs: 300, mbit: 1, impairments: ["loss 5 %"] },
];
/** One RTO plus rounding. */
const ONE_RTO = 1.001;

describe("the grid of bad paths", () => {
  // A change in performance shows as a difference; if intended, run `bun tests/snapshot/main.ts
  // --update`. On every path, something is sent or received within one RTO, silences are no longer
  // than two RTOs, and two equal flows share the path. RTOs include backoff, since they double
  // while every acknowledgement is lost (RFC 6298 5.5).
  test(
    "matches short.txt, without long silences and with fair shares (RFC 8985 7, RFC 9438 5.1)",
    () => {
      const { text, results, shares } = shortGrid();
      expect(text).toBe(BEFORE);
      for (const { silence, wait } of results) {
        expect(silence).toBeLessThan(2);
        expect(wait).toBeLessThan(ONE_RTO);
      }
      for (const { share } of shares) {
        expect(share).toBeGreaterThan(0.8);
        expect(share).toBeLessThan(1.25);
      }
    },
    LIMIT_MS,
  );

  // Probes and retransmissions are sent when their timer expires, and a timer runs for at most one
  // RTO, however many acknowledgements are lost.
  test("has no silence in which a timer should have expired (RFC 6298 5, RFC 8985 7)", () => {
    for (const cell of LONGEST_SILENCES) {
      for (const seed of [1, 2, 3]) {
        const { silence, wait } = measure(cell, 8, seed);
        expect(silence).toBeLessThan(2);
        expect(wait).toBeLessThan(ONE_RTO);
      }
    }
  }, LIMIT_MS);
});
