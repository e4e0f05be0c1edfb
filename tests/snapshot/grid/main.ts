/**
 * The whole grid of bad paths in virtual time: writes `docs/bad-paths.svg` and prints what is out of
 * bounds, and how flows share a path.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { type Cell, cells, type Impairment, IMPAIRMENTS } from "./cells.ts";
import { measure, type Result, share } from "./measure.ts";
import { type Field, type HeatMap, svg } from "./svg.ts";

const RATES = [1, 10, 100, 1000];
const RTTS = [1, 10, 100, 300];
const NAMES = Object.keys(IMPAIRMENTS) as Impairment[];
const MAPS = (["internet", "local"] as const).flatMap((profile) =>
  (["cubic", "bbr"] as const).map((congestion) => ({ profile, congestion }))
);
/** RTOs in force: longer than this is a stall. */
const MOST_SILENCE = 2;
/** The timer that ends it runs for one RTO; the rest is for rounding. */
const MOST_WAIT = 1.001;
const SHARE_SECONDS = 60;
/** One run's shares wander by more than those of its paths differ. */
const SHARE_SEEDS = [1, 2, 3, 4, 5, 6];

const results = new Map<string, Result>();
const maps = MAPS.map(drawCells);
writeFileSync(docs("bad-paths.svg"), svg(maps));
for (const line of summary()) console.log(line);

function docs(name: string): URL {
  return new URL(`../../../docs/${name}`, import.meta.url);
}

/** Long enough for the algorithm to find its window, short enough for 1 Gbit/s. */
function secondsFor({ mbit, rttMs }: Pick<Cell, "mbit" | "rttMs">): number {
  if (mbit === 1) return 20;
  if (mbit === 10) return 8;
  return mbit === 100 ? 1.5 + 8 * rttMs / 1000 : 0.3 + 4 * rttMs / 1000;
}

function drawCells(algorithm: (typeof MAPS)[number]): HeatMap {
  const { congestion, profile } = algorithm;
  const groups = RATES.map((mbit) => ({
    name: `${mbit} Mbit/s, RTT in ms`,
    columns: RTTS.map((rttMs) => String(rttMs)),
  }));
  const field = (row: number, column: number): Field => {
    const mbit = RATES[Math.floor(column / RTTS.length)]!;
    const rttMs = RTTS[column % RTTS.length]!;
    const cell = { ...algorithm, mbit, rttMs, impairment: NAMES[row]! };
    const result = measure(cell, secondsFor(cell));
    results.set(JSON.stringify(cell), result);
    return { text: percent(result.use), goodness: result.use, marked: isStalled(result) };
  };
  const title = `${congestion}, profile ${profile}: percent of the bottleneck that data uses`;
  console.log(title);
  return { title, rows: NAMES, groups, field };
}

function isStalled({ silence, wait }: Result): boolean {
  return silence > MOST_SILENCE || wait > MOST_WAIT;
}

function percent(part: number): string {
  return String(Math.round(100 * part));
}

/** What is out of bounds, and the shares. */
function summary(): string[] {
  const lines = [`${results.size} cells`];
  const all = [...results];
  const most = (value: (result: Result) => number) => {
    return Math.max(...all.map(([, result]) => value(result))).toFixed(2);
  };
  lines.push(`longest silence: ${most(({ silence }) => silence)} RTOs in force`);
  lines.push(`longest time without sending: ${most(({ wait }) => wait)} RTOs in force`);
  for (const [cell, result] of all.filter(([, result]) => isStalled(result))) {
    lines.push(`stalled: ${cell} ${JSON.stringify(result)}`);
  }
  for (const [cell, { silenceWithoutBackoff }] of all) {
    if (silenceWithoutBackoff <= MOST_SILENCE) continue;
    lines.push(`${cell}: ${silenceWithoutBackoff.toFixed(1)} RTOs without backoff`);
  }
  const pairs = cells({
    congestions: ["cubic", "bbr"],
    profiles: ["internet"],
    rtts: [30],
    rates: [5],
  });
  for (const cell of pairs) {
    const ratio = share(cell, SHARE_SECONDS, SHARE_SEEDS);
    lines.push(`two flows of ${cell.congestion}, ${cell.impairment}: ${ratio.toFixed(2)}`);
  }
  for (const rttMs of [10, 50, 100]) {
    const cell = { congestion: "cubic", profile: "internet", mbit: 10, rttMs } as const;
    const ratio = share({ ...cell, impairment: "nothing" }, SHARE_SECONDS, SHARE_SEEDS, "bbr");
    const part = 2 / (1 + ratio);
    lines.push(`cubic beside bbr, ${rttMs} ms: ${part.toFixed(2)} of its share`);
  }
  return lines;
}
