/**
 * The columns of `berth top`.
 *
 * @module
 */
import type { ConnectionRow } from "../../../admin/connections.ts";

/** A connection with its rates in bits per second, which are `undefined` until they are known. */
export interface RatedRow extends ConnectionRow {
  readonly inRate: number | undefined;
  readonly outRate: number | undefined;
}

/** A column. */
export interface Column {
  readonly title: string;
  /** The field to sort by: of the API, or one of the rates. */
  readonly sort: string;
  /** Columns with a higher number disappear first when the terminal is narrow. */
  readonly rank: number;
  readonly isNumber: boolean;
  readonly text: (row: RatedRow) => string;
}

/** From left to right. */
export const COLUMNS: readonly Column[] = [
  column("PEER", "remote", 0, ({ remote }) => remote),
  column("LOCAL", "local", 2, ({ local }) => local),
  column("STATE", "state", 5, ({ state }) => state),
  column("PLUGIN", "plugin", 3, ({ plugin }) => plugin ?? "-"),
  column("WAITS FOR", "waitsFor", 4, ({ waitsFor }) => waitsFor),
  number("AGE", "ageSeconds", 8, ({ ageSeconds }) => duration(ageSeconds)),
  number("IN/s", "inRate", 1, ({ inRate }) => rate(inRate)),
  number("OUT/s", "outRate", 1, ({ outRate }) => rate(outRate)),
  number("RTT", "srttMs", 2, ({ srttMs }) => srttMs === 0 ? "-" : milliseconds(srttMs)),
  number("CWND", "cwnd", 6, ({ cwnd }) => scaled(cwnd)),
  number("FLIGHT", "flightSize", 9, ({ flightSize }) => scaled(flightSize)),
  number("RETX", "retransmits", 7, ({ retransmits }) => scaled(retransmits)),
];

function column(title: string, sort: string, rank: number, text: Column["text"]): Column {
  return { title, sort, rank, text, isNumber: false };
}

function number(title: string, sort: string, rank: number, text: Column["text"]): Column {
  return { title, sort, rank, text, isNumber: true };
}

const UNITS = ["", "k", "M", "G", "T"];

/** At most five characters: `999`, `1.2k`, `34M`. */
export function scaled(value: number): string {
  let unit = 0;
  let rest = value;
  while (rest >= 999.5 && unit < UNITS.length - 1) {
    rest /= 1000;
    unit++;
  }
  const digits = unit > 0 && rest < 9.95 ? 1 : 0;
  return `${rest.toFixed(digits)}${UNITS[unit]}`;
}

function rate(bitsPerSecond: number | undefined): string {
  return bitsPerSecond === undefined ? "-" : scaled(bitsPerSecond);
}

function milliseconds(ms: number): string {
  if (ms >= 1000) return `${(ms / 1000).toFixed(1)}s`;
  return ms >= 10 ? `${ms.toFixed(0)}ms` : `${ms.toFixed(1)}ms`;
}

/** `12s`, `3m04s`, `2h10m`, `5d03h`. */
export function duration(seconds: number): string {
  const two = (value: number) => String(Math.floor(value)).padStart(2, "0");
  if (seconds < 60) return `${seconds}s`;
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m${two(seconds % 60)}s`;
  if (seconds < 86_400) return `${Math.floor(seconds / 3600)}h${two((seconds % 3600) / 60)}m`;
  return `${Math.floor(seconds / 86_400)}d${two((seconds % 86_400) / 3600)}h`;
}
