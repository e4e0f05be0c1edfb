/**
 * The screen of `berth top`, as lines that fit the terminal.
 *
 * @module
 */
import { printable } from "../../../printable.ts";
import { type Column, COLUMNS, type RatedRow, scaled } from "./columns.ts";
import type { Query, Sample } from "./sampler.ts";

/** The state that the screen shows. */
export interface View {
  readonly sample: Sample | undefined;
  readonly query: Query;
  /** Index of the selected row on the page; `undefined` if rows cannot be selected. */
  readonly selected: number | undefined;
  /** Shown at the bottom in place of the keys. */
  readonly message: string | undefined;
  readonly isHelp: boolean;
}

/** A line, and how it is emphasized. */
export interface Line {
  readonly text: string;
  readonly style: "plain" | "bold" | "reverse";
}

/** Number of lines above the connections, and below them. */
const HEAD = 5;
const FOOT = 1;

const KEYS = "q quit  h help  / filter  < > sort  i invert  PgUp PgDn  k reset";

const HELP: readonly string[] = [
  "berth top: connections of a running service",
  "",
  "up, down         select a connection",
  "PgUp, PgDn       previous and next page; Home: the first",
  "<, > or arrows   sort by the column on the left or right",
  "i                reverse the order",
  "/                filter by text in any field; Esc removes the filter",
  "k                reset the selected connection",
  "space            update now",
  "h, ?             this page",
  "q, Ctrl+C        quit",
  "",
  "IN/s, OUT/s      bits per second of the connection's data",
  "WAITS FOR        what the connection waits for now; see docs/admin.md",
];

/** Number of connections that a screen of `rows` lines shows. */
export function pageSize(rows: number): number {
  return Math.max(1, rows - HEAD - FOOT);
}

/** Exactly `rows` lines of at most `columns` characters. */
export function render(view: View, columns: number, rows: number): Line[] {
  const lines = view.isHelp ? HELP.map(plain) : body(view, columns, pageSize(rows));
  const foot = view.message ?? (view.isHelp ? "any key goes back" : KEYS);
  const filled = Array.from({ length: rows - FOOT }, (_, i) => lines[i] ?? plain(""));
  return [...filled, { text: foot, style: "bold" } as const].slice(-rows)
    .map(({ text, style }) => ({ text: cut(text, columns), style }));
}

/** The head and all rows as plain text, for output that is not a terminal. */
export function renderOnce(view: View): string {
  return body(view, Infinity, Infinity).map(({ text }) => text.trimEnd()).join("\n");
}

function body(view: View, columns: number, page: number): Line[] {
  const { sample, query, selected } = view;
  if (sample === undefined) return [plain("waiting for the service")];
  const { head, lines } = table(sample.rows.slice(0, page), query, columns);
  return [
    { text: summary(sample), style: "bold" },
    plain(`listen  ${listening(sample)}`),
    plain(`drops   ${drops(sample)}`),
    plain(position(sample, query)),
    { text: head, style: "reverse" },
    ...lines.map((text, i) => ({
      text,
      style: i === selected ? "reverse" as const : "plain" as const,
    })),
  ];
}

function summary(sample: Sample): string {
  const { ready, connections, flows, packetsIn, packetsOut, bitsIn, bitsOut } = sample;
  return [
    `berth  ${ready}`,
    `connections ${connections}`,
    ...flows > 0 ? [`flows ${flows}`] : [],
    `in ${scaled(bitsIn)}bit/s ${scaled(packetsIn)}p/s`,
    `out ${scaled(bitsOut)}bit/s ${scaled(packetsOut)}p/s`,
  ].join("  ");
}

function listening({ listen }: Sample): string {
  if (listen.length === 0) return "nothing";
  return printable(
    listen.map(({ where, plugins }) => `${where} ${plugins.join("+")}`).join("  "),
  );
}

function drops({ drops }: Sample): string {
  if (drops.length === 0) return "none";
  return drops.map(({ reason, total, perSecond }) =>
    `${reason} ${scaled(total)}${perSecond > 0 ? ` (${scaled(perSecond)}/s)` : ""}`
  ).join("  ");
}

function position({ total, rows }: Sample, { filter, offset }: Query): string {
  const first = rows.length === 0 ? 0 : offset + 1;
  const found = `${first}-${offset + rows.length} of ${total}`;
  return filter === "" ? found : `${found}  filter "${filter}"`;
}

/**
 * Minimum width of a column of numbers: with each update numbers change, and columns whose width changes are hard to
 * read.
 */
const LEAST_NUMBER = 6;

/** The table, with as many columns as fit; the least important ones are left out first. */
function table(
  rows: readonly RatedRow[],
  { sort, descending }: Query,
  width: number,
): { head: string; lines: string[] } {
  const titleOf = ({ title, sort: own }: Column) =>
    own === sort ? `${title}${descending ? "v" : "^"}` : title;
  const cells = COLUMNS.map((column) => [
    titleOf(column),
    ...rows.map((row) => printable(column.text(row))),
  ]);
  const widths = cells.map((column, i) =>
    Math.max(COLUMNS[i]!.isNumber ? LEAST_NUMBER : 0, ...column.map(({ length }) => length))
  );
  const shown = new Set(COLUMNS.keys());
  const needed = () => [...shown].reduce((sum, i) => sum + widths[i]! + 2, -2);
  while (needed() > width && shown.size > 1) shown.delete(leastImportant(shown));
  const line = (index: number) =>
    [...shown].map((i) =>
      COLUMNS[i]!.isNumber
        ? cells[i]![index]!.padStart(widths[i]!)
        : cells[i]![index]!.padEnd(widths[i]!)
    ).join("  ");
  const head = line(0);
  return {
    head: Number.isFinite(width) ? head.padEnd(width) : head,
    lines: rows.map((_, i) => line(i + 1)),
  };
}

function leastImportant(shown: ReadonlySet<number>): number {
  return [...shown].reduce((least, i) => COLUMNS[i]!.rank >= COLUMNS[least]!.rank ? i : least);
}

function plain(text: string): Line {
  return { text, style: "plain" };
}

function cut(text: string, columns: number): string {
  return text.length > columns ? `${text.slice(0, Math.max(0, columns - 1))}~` : text;
}
