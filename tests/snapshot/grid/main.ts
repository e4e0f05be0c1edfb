/**
 * The whole grid of bad paths in virtual time: draws `docs/bad-paths.svg` and
 * `docs/bad-paths-combined.svg`, and prints cells outside the limits and how flows share a path.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { type Cell, cells, COMBINED, type Impairment, nameOf, SINGLE, TOGETHER } from "./cells.ts";
import { measureMean, type Result, share } from "./measure.ts";
import { type Field, type HeatMap, svg } from "./svg.ts";

const RATES = [1, 10, 100, 1000];
const RTTS = [1, 10, 100, 300];
const MAPS = (["internet", "local"] as const).flatMap((profile) =>
  (["cubic", "bbr"] as const).map((congestion) => ({ profile, congestion }))
);
/** Seeds of several runs, because a single run depends on which packets happen to be lost. */
const SEEDS = [1, 2, 3];
/** Maximum silence, in current RTOs; a longer one is a stall. */
const MAX_SILENCE = 2;
/** Maximum wait, in current RTOs: the timer that ends it runs for one RTO; the rest allows for rounding. */
const MAX_WAIT = 1.001;
/**
 * A combination collapses if its goodput is below this fraction of the prediction from its single
 * impairments.
 */
const COLLAPSE = 0.5;
const STALL_FRAME = "#b00";
const COLLAPSE_FRAME = "#33c";
const SHARE_SECONDS = 60;
/** The shares of single runs vary more than those of different paths. */
const SHARE_SEEDS = [1, 2, 3, 4, 5, 6];

const results = new Map<string, { readonly cell: Cell; readonly result: Result }>();
const files = { "bad-paths.svg": SINGLE, "bad-paths-combined.svg": COMBINED };
for (const [name, rows] of Object.entries(files)) {
  const file = new URL(`../../../docs/${name}`, import.meta.url);
  writeFileSync(file, svg(MAPS.map((algorithm) => drawCells(algorithm, rows))));
}
for (const line of [...outOfBounds(), ...shares()]) console.log(line);

/** Long enough for the algorithm to converge, short enough for 1 Gbit/s. */
function secondsFor({ mbit, rttMs }: Cell): number {
  if (mbit === 1) return 20;
  if (mbit === 10) return 8;
  return mbit === 100 ? 1.5 + 8 * rttMs / 1000 : 0.3 + 4 * rttMs / 1000;
}

/** Each cell is measured once, even if it is in several figures. */
function resultOf(cell: Cell): Result {
  const key = JSON.stringify(cell);
  const known = results.get(key);
  if (known !== undefined) return known.result;
  const result = measureMean(cell, secondsFor(cell), SEEDS);
  results.set(key, { cell, result });
  return result;
}

function drawCells(
  algorithm: (typeof MAPS)[number],
  rows: readonly (readonly Impairment[])[],
): HeatMap {
  const { congestion, profile } = algorithm;
  const groups = RATES.map((mbit) => ({
    name: `${mbit} Mbit/s, RTT in ms`,
    columns: RTTS.map((rttMs) => String(rttMs)),
  }));
  const field = (row: number, column: number): Field => {
    const mbit = RATES[Math.floor(column / RTTS.length)]!;
    const rttMs = RTTS[column % RTTS.length]!;
    const cell = { ...algorithm, mbit, rttMs, impairments: rows[row]! };
    const { use } = resultOf(cell);
    return { text: String(Math.round(100 * use)), goodness: use, frame: frameOf(cell) };
  };
  const title = `${congestion}, profile ${profile}: percent of the bottleneck that data uses`;
  console.log(title);
  return { title, rows: rows.map(nameOf), groups, field };
}

function frameOf(cell: Cell): string | undefined {
  if (isStalled(resultOf(cell))) return STALL_FRAME;
  return resultOf(cell).use < COLLAPSE * predictedUse(cell) ? COLLAPSE_FRAME : undefined;
}

function isStalled({ silence, wait }: Result): boolean {
  return silence > MAX_SILENCE || wait > MAX_WAIT;
}

/** Predicts that each impairment costs the same fraction of goodput as alone. */
function predictedUse(cell: Cell): number {
  const plain = resultOf({ ...cell, impairments: [] }).use;
  return cell.impairments.reduce(
    (use, impairment) => use * resultOf({ ...cell, impairments: [impairment] }).use / plain,
    plain,
  );
}

function outOfBounds(): string[] {
  const all = [...results.values()];
  const lines = [`${all.length} cells`];
  const most = (value: (result: Result) => number) => {
    return Math.max(...all.map(({ result }) => value(result))).toFixed(2);
  };
  lines.push(`longest silence: ${most(({ silence }) => silence)} current RTOs`);
  lines.push(`longest time without sending: ${most(({ wait }) => wait)} current RTOs`);
  for (const { cell, result } of all) {
    const { silenceWithoutBackoff, use } = result;
    if (isStalled(result)) lines.push(`stalled: ${describe(cell)}: ${JSON.stringify(result)}`);
    if (silenceWithoutBackoff > MAX_SILENCE) {
      lines.push(`${describe(cell)}: ${silenceWithoutBackoff.toFixed(1)} RTOs without backoff`);
    }
    const predicted = predictedUse(cell);
    if (use >= COLLAPSE * predicted) continue;
    lines.push(`${describe(cell)}: ${use.toFixed(3)}, predicted ${predicted.toFixed(3)}`);
  }
  return lines;
}

function describe({ congestion, profile, mbit, rttMs, impairments }: Cell): string {
  return `${congestion} ${profile} ${mbit} Mbit/s ${rttMs} ms ${nameOf(impairments)}`;
}

function shares(): string[] {
  const pairs = cells({
    congestions: ["cubic", "bbr"],
    profiles: ["internet"],
    rtts: [30],
    rates: [5],
    rows: [...SINGLE, ...TOGETHER],
  });
  const lines = pairs.map((cell) => {
    const ratio = share(cell, SHARE_SECONDS, SHARE_SEEDS);
    return `two flows of ${cell.congestion}, ${nameOf(cell.impairments)}: ${ratio.toFixed(2)}`;
  });
  for (const rttMs of [10, 50, 100]) {
    const cell = { congestion: "cubic", profile: "internet", mbit: 10, rttMs } as const;
    const ratio = share({ ...cell, impairments: [] }, SHARE_SECONDS, SHARE_SEEDS, "bbr");
    const part = 2 / (1 + ratio);
    lines.push(`cubic beside bbr, ${rttMs} ms: ${part.toFixed(2)} of its share`);
  }
  return lines;
}
