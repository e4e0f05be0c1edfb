import { type Cell, cells, type Impairment, nameOf, SINGLE, TOGETHER } from "./cells.ts";
import { measure, type Result, share } from "./measure.ts";

const PATHS = [
  { mbit: 1, rttMs: 300, seconds: 10 },
  { mbit: 10, rttMs: 50, seconds: 3 },
  { mbit: 100, rttMs: 10, seconds: 0.3 },
];
const SHARED: readonly (readonly Impairment[])[] = [
  [],
  ["loss 1 %"],
  ["reordering 10 %"],
  ["policer"],
  ["bufferbloat"],
  ["loss 1 %", "reordering 10 %", "bufferbloat"],
];
const ALGORITHMS = [
  { congestion: "cubic", profile: "internet" },
  { congestion: "cubic", profile: "local" },
  { congestion: "bbr", profile: "internet" },
  { congestion: "bbr", profile: "local" },
] as const;

/** Values measured for each cell of the small grid. */
export interface ShortGrid {
  readonly text: string;
  readonly results: readonly (Result & { readonly cell: Cell })[];
  readonly shares: readonly { readonly cell: Cell; readonly share: number }[];
}

/**
 * A grid for the tests: a few paths with every impairment and some combinations, and two flows on
 * one path.
 */
export function shortGrid(): ShortGrid {
  const results: (Result & { readonly cell: Cell })[] = [];
  const lines = [
    "Goodput as a fraction of the bottleneck, and the longest silence in current RTOs",
  ];
  for (const { mbit, rttMs, seconds } of PATHS) {
    const names = ALGORITHMS.map(({ congestion, profile }) => `${congestion} ${profile}`);
    lines.push("", line(`${mbit} Mbit/s, ${rttMs} ms`, names));
    for (const impairments of [...SINGLE, ...TOGETHER]) {
      const row = ALGORITHMS.map((algorithm) => {
        const cell = { ...algorithm, mbit, rttMs, impairments };
        const result = { cell, ...measure(cell, seconds) };
        results.push(result);
        return result;
      });
      lines.push(line(nameOf(impairments), row.map(({ use, silence }) => pair(use, silence))));
    }
  }
  const shares = sharedCells().map((cell) => ({ cell, share: share(cell, 40, [1, 2]) }));
  lines.push("", line("Second of two flows", ["cubic", "bbr"]));
  for (const impairments of SHARED) {
    const row = shares.filter(({ cell }) => cell.impairments === impairments);
    lines.push(line(nameOf(impairments), row.map((one) => one.share.toFixed(2))));
  }
  return { text: lines.join("\n") + "\n", results, shares };
}

function sharedCells(): Cell[] {
  return cells({
    congestions: ["cubic", "bbr"],
    profiles: ["internet"],
    rtts: [20],
    rates: [4],
    rows: SHARED,
  });
}

function pair(use: number, silence: number): string {
  return `${use.toFixed(2)} ${silence.toFixed(1)}`;
}

function line(name: string, row: readonly string[]): string {
  return name.padEnd(46) + row.map((text) => text.padStart(16)).join("");
}
