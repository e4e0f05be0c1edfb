/**
 * Draws `docs/bad-paths-linux.svg` from what `linux.ts` has printed:
 *
 *     draw_linux.ts LINUX.jsonl
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { nameOf, SINGLE } from "./cells.ts";
import type { LinuxResult } from "./linux_results.ts";
import { type HeatMap, svg } from "./svg.ts";

const LEAST_RATIO = 0.9;

const file = new URL("../../../docs/bad-paths-linux.svg", import.meta.url);
writeFileSync(file, svg(compare(process.argv[2]!)));

/** What a stack reaches in virtual time, in parts of what the kernel has reached. */
function compare(path: string): HeatMap[] {
  const text = readFileSync(path, "utf8").trim();
  const measured = text.split("\n").map((line) => JSON.parse(line) as LinuxResult);
  const rates = [...new Set(measured.map(({ mbit }) => mbit))].sort((a, b) => a - b);
  const rtts = [...new Set(measured.map(({ rttMs }) => rttMs))].sort((a, b) => a - b);
  return (["cubic", "bbr"] as const).map((congestion) => ({
    title: `${congestion}: percent of the kernel's goodput`,
    rows: SINGLE.map(nameOf),
    groups: rates.map((mbit) => ({
      name: `${mbit} Mbit/s, RTT in ms`,
      columns: rtts.map((rttMs) => String(rttMs)),
    })),
    field: (row, column) => {
      const found = measured.find((one) =>
        one.congestion === congestion && nameOf(one.impairments) === nameOf(SINGLE[row]!) &&
        one.mbit === rates[Math.floor(column / rtts.length)] &&
        one.rttMs === rtts[column % rtts.length]
      );
      if (found === undefined) return undefined;
      const ratio = found.virtual / found.kernel;
      return {
        text: String(Math.round(100 * ratio)),
        goodness: ratio,
        frame: ratio < LEAST_RATIO ? "#b00" : undefined,
      };
    },
  }));
}
