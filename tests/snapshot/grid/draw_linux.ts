/**
 * Draws `docs/bad-paths-linux.svg` from what `linux.ts` has printed:
 *
 *     draw_linux.ts LINUX.jsonl
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { nameOf } from "./cells.ts";
import { type LinuxResult, median } from "./linux_results.ts";
import { type HeatMap, svg } from "./svg.ts";

const LEAST_RATIO = 0.9;

const file = new URL("../../../docs/bad-paths-linux.svg", import.meta.url);
writeFileSync(file, svg(compare(process.argv[2]!)));

/** What a stack reaches in virtual time, in parts of what the kernel has reached. */
function compare(path: string): HeatMap[] {
  const text = readFileSync(path, "utf8").trim();
  const measured = text.split("\n").map((line) => JSON.parse(line) as LinuxResult);
  const distinct = (value: (one: LinuxResult) => number) =>
    [...new Set(measured.map(value))].sort((a, b) => a - b);
  const rates = distinct(({ mbit }) => mbit);
  const rtts = distinct(({ rttMs }) => rttMs);
  const rows = [...new Set(measured.map(({ impairments }) => nameOf(impairments)))]
    .sort((a, b) => a.split(" + ").length - b.split(" + ").length);
  const maps = (["internet", "local"] as const).flatMap((profile) =>
    (["cubic", "bbr"] as const).map((congestion) => ({ profile, congestion }))
  );
  return maps.map(({ profile, congestion }): HeatMap => ({
    title: `${congestion}, profile ${profile}: percent of the kernel's goodput`,
    rows,
    groups: rates.map((mbit) => ({
      name: `${mbit} Mbit/s, RTT in ms`,
      columns: rtts.map((rttMs) => String(rttMs)),
    })),
    field: (row, column) => {
      const found = measured.find((one) =>
        one.congestion === congestion && nameOf(one.impairments) === rows[row] &&
        one.mbit === rates[Math.floor(column / rtts.length)] &&
        one.rttMs === rtts[column % rtts.length]
      );
      if (found === undefined) return undefined;
      const ratio = median(found[profile]) / median(found.kernel);
      return {
        text: String(Math.round(100 * ratio)),
        goodness: ratio,
        frame: ratio < LEAST_RATIO ? "#b00" : undefined,
      };
    },
  }));
}
