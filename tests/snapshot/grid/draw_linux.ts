/**
 * Draws `docs/bad-paths-linux.svg` from the output of `linux.ts`:
 *
 *     draw_linux.ts LINUX.jsonl
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import process from "node:process";
import { COMBINED, nameOf, SINGLE } from "./cells.ts";
import { type LinuxResult, median } from "./linux_results.ts";
import { type HeatMap, svg } from "./svg.ts";

const MIN_RATIO = 0.9;

const file = new URL("../../../docs/bad-paths-linux.svg", import.meta.url);
writeFileSync(file, svg(compare(process.argv[2]!)));

/** Goodput of a stack in virtual time, relative to the kernel's. */
function compare(path: string): HeatMap[] {
  const text = readFileSync(path, "utf8").trim();
  const measured = text.split("\n").map((line) => JSON.parse(line) as LinuxResult);
  const distinct = (some: readonly LinuxResult[], value: (one: LinuxResult) => number) =>
    [...new Set(some.map(value))].sort((a, b) => a - b);
  // Not every RTT was measured at every rate.
  const rates = distinct(measured, ({ mbit }) => mbit).map((mbit) => ({
    mbit,
    rtts: distinct(measured.filter((one) => one.mbit === mbit), ({ rttMs }) => rttMs),
  }));
  const columns = rates.flatMap(({ mbit, rtts }) => rtts.map((rttMs) => ({ mbit, rttMs })));
  const names = new Set(measured.map(({ impairments }) => nameOf(impairments)));
  const rows = [...new Set([...SINGLE, ...COMBINED].map(nameOf))].filter((name) => names.has(name));
  const maps = (["internet", "local"] as const).flatMap((profile) =>
    (["cubic", "bbr"] as const).map((congestion) => ({ profile, congestion }))
  );
  return maps.map(({ profile, congestion }): HeatMap => ({
    title: `${congestion}, profile ${profile}: percent of the kernel's goodput, RTT in ms`,
    rows,
    groups: rates.map(({ mbit, rtts }) => ({
      name: `${mbit} Mbit/s`,
      columns: rtts.map((rttMs) => String(rttMs)),
    })),
    field: (row, column) => {
      const { mbit, rttMs } = columns[column]!;
      const found = measured.find((one) =>
        one.congestion === congestion && nameOf(one.impairments) === rows[row] &&
        one.mbit === mbit && one.rttMs === rttMs
      );
      if (found === undefined) return undefined;
      const ratio = median(found[profile]) / median(found.kernel);
      return {
        text: String(Math.round(100 * ratio)),
        goodness: ratio,
        frame: ratio < MIN_RATIO ? "#b00" : undefined,
      };
    },
  }));
}
