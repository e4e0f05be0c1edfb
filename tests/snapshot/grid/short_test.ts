import { readFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import type { Cell } from "./cells.ts";
import { measure } from "./measure.ts";
import { shortGrid } from "./short.ts";

const BEFORE = readFileSync(new URL("short.txt", import.meta.url), "utf8");
const LIMIT_MS = 240_000;
/** Those of the whole grid that are silent for the longest time, in RTOs without backoff. */
const MOST_SILENT: readonly Cell[] = [
  { congestion: "cubic", profile: "internet", rttMs: 1, mbit: 10, impairments: ["ACK loss 30 %"] },
  { congestion: "bbr", profile: "internet", rttMs: 100, mbit: 1, impairments: ["ACK loss 30 %"] },
  { congestion: "cubic", profile: "local", rttMs: 300, mbit: 1, impairments: ["loss 5 %"] },
];
/** An RTO, and what rounding makes of it. */
const ONE_RTO = 1.001;

describe("the grid of bad paths", () => {
  // A change that makes something faster or slower shows as a difference. When it is meant to be:
  // `bun tests/snapshot/main.ts --update`. Whatever the path does, something is sent or heard within
  // one RTO, nothing new is heard for no longer than two, and two flows of a kind share it. An RTO
  // counts with its backoff: where every acknowledgement is lost it doubles (RFC 6298 5.5).
  test(
    "is what is in short.txt, without silences and with fair shares (RFC 8985 7, RFC 9438 5.1)",
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

  // A probe and each retransmission leave when their timer says so, and a timer runs for one RTO at
  // most, however many acknowledgements get lost.
  test("has no time in which a timer could have sent something (RFC 6298 5, RFC 8985 7)", () => {
    for (const cell of MOST_SILENT) {
      for (const seed of [1, 2, 3]) {
        const { silence, wait } = measure(cell, 8, seed);
        expect(silence).toBeLessThan(2);
        expect(wait).toBeLessThan(ONE_RTO);
      }
    }
  }, LIMIT_MS);
});
