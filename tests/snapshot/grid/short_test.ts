import { readFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import { shortGrid } from "./short.ts";

const BEFORE = readFileSync(new URL("short.txt", import.meta.url), "utf8");
const LIMIT_MS = 120_000;

describe("the grid of bad paths", () => {
  // A change that makes something faster or slower shows as a difference. When it is meant to be:
  // `bun tests/snapshot/main.ts --update`. Whatever the path does, no connection is silent for longer
  // than two RTOs, and two flows of a kind share it.
  test(
    "is what is in short.txt, without silences and with fair shares (RFC 8985 7, RFC 9438 5.1)",
    () => {
      const { text, results, shares } = shortGrid();
      expect(text).toBe(BEFORE);
      for (const { silence } of results) expect(silence).toBeLessThan(2);
      for (const { share } of shares) {
        expect(share).toBeGreaterThan(0.8);
        expect(share).toBeLessThan(1.25);
      }
    },
    LIMIT_MS,
  );
});
