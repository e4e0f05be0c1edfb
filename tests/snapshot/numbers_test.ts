import { readFileSync } from "node:fs";
import { describe, expect, test } from "bun:test";
import type { Conditions } from "../sim/wire.ts";
import { goodput, share, TABLES } from "./tables.ts";

const BEFORE = readFileSync(new URL("numbers.txt", import.meta.url), "utf8");
const LIMIT_MS = 60_000;

describe("the numbers", () => {
  // A change in performance shows as a difference here. If intended, run `bun
  // tests/snapshot/main.ts --update`.
  for (const [name, table] of Object.entries(TABLES)) {
    test(`of ${name} are those in numbers.txt`, () => {
      const now = table();
      const title = now.slice(0, now.indexOf("\n"));
      const start = BEFORE.indexOf(title);
      expect(now.trimEnd()).toBe(BEFORE.slice(start).split("\n\n")[0]!.trimEnd());
    }, LIMIT_MS);
  }
});

describe("congestion control", () => {
  // Nothing is lost: delayed segments are not marked lost, or the mark is undone.
  for (const congestion of ["newreno", "cubic", "bbr"] as const) {
    test(`${congestion} keeps 90 % when half of the packets are reordered (RFC 8985)`, () => {
      const inOrder = goodput(congestion, {});
      const reordered = goodput(congestion, { reorder: 0.5, reorderMs: 10 });
      expect(reordered / inOrder).toBeGreaterThan(0.9);
    }, LIMIT_MS);

    test(`${congestion} uses 90 % of 10 Mbit/s at 50 ms`, () => {
      expect(goodput(congestion, {}, 50, 10)).toBeGreaterThan(9);
    }, LIMIT_MS);
  }

  // The path reorders by more than the initial reordering window. Out-of-order arrivals count
  // towards the growth of the window; otherwise it would hardly grow.
  for (const congestion of ["newreno", "cubic"] as const) {
    test(
      `${congestion} keeps 90 % where a tenth is late by a quarter round trip (RFC 8985)`,
      () => {
        const inOrder = goodput(congestion, {}, 200);
        const reordered = goodput(congestion, { reorder: 0.1, reorderMs: 50 }, 200);
        expect(reordered / inOrder).toBeGreaterThan(0.9);
      },
      LIMIT_MS,
    );
  }

  // It overruns the queue constantly, so reordering adds to losses. The result depends on fractions
  // of a millisecond, so there are three paths.
  test("unacked keeps 90 % when half of the packets are reordered (RFC 8985)", () => {
    const sum = (wire: Partial<Conditions>) =>
      [49.5, 50, 50.5].reduce((all, rtt) => all + goodput("unacked", wire, rtt), 0);
    expect(sum({ reorder: 0.5, reorderMs: 10 }) / sum({})).toBeGreaterThan(0.9);
  }, LIMIT_MS);

  // BBR tolerates 2 % loss per round trip. A single run depends on which packets are lost during a
  // bandwidth probe: from 14 to 17 of 19.3 Mbit/s.
  test("bbr keeps 80 % at 1 % loss (BBR draft 2.5)", () => {
    const seeds = [1, 2, 3, 4, 5, 6];
    const sum = seeds.reduce((all, seed) => all + goodput("bbr", { loss: 0.01 }, 50, 20, seed), 0);
    expect(sum / seeds.length).toBeGreaterThan(0.8 * goodput("bbr", {}));
  }, LIMIT_MS);

  // Mathis' formula for Reno: MSS / RTT * sqrt(3 / 2p); RFC 9438 4.3 makes CUBIC no worse there.
  for (const congestion of ["newreno", "cubic"] as const) {
    test(`${congestion} matches the formula at 1 % loss`, () => {
      const expected = 1448 * 8 / 50e-3 * Math.sqrt(1.5 / 0.01) / 1e6;
      const measured = goodput(congestion, { loss: 0.01 });
      expect(measured / expected).toBeGreaterThan(0.8);
      expect(measured / expected).toBeLessThan(1.4);
    }, LIMIT_MS);
  }

  // A second flow gets its share.
  for (const congestion of ["newreno", "cubic", "bbr"] as const) {
    test(`two flows of ${congestion} share a path`, () => {
      const [first, second] = share({ congestion }, { congestion, startMs: 5000 });
      expect((first + second) ** 2 / (2 * (first ** 2 + second ** 2))).toBeGreaterThan(0.9);
      expect(first + second).toBeGreaterThan(9);
    }, LIMIT_MS);
  }
});
