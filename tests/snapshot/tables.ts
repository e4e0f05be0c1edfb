import type { CongestionName } from "../../core/tcp/config.ts";
import type { Conditions } from "../sim/wire.ts";
import { type FlowOptions, Path } from "./path.ts";

const ALGORITHMS: readonly CongestionName[] = ["unacked", "newreno", "cubic", "bbr"];
const RTT_MS = 50;
/** 20 Mbit/s. */
const BYTES_PER_MS = 2500;
const SECONDS = 10;

/** Measurements by name; each gives a part of `numbers.txt`. */
export const TABLES: Readonly<Record<string, () => string>> = {
  loss: lossTable,
  reordering: reorderTable,
  "round-trip time": rttTable,
  bandwidth: bandwidthTable,
  fairness: fairnessTable,
};

/** All of `numbers.txt`. */
export function allTables(): string {
  const preface = [
    `Goodput in Mbit/s over ${SECONDS} s, slow start included, profile internet, MTU 1500.`,
    `Unless said otherwise: 20 Mbit/s, RTT ${RTT_MS} ms, a queue of one bandwidth-delay product.`,
  ];
  return [...preface, "", ...Object.values(TABLES).map((table) => table())].join("\n");
}

function lossTable(): string {
  const rows = [0, 0.001, 0.01, 0.05, 0.1, 0.3].map((loss): Row => ({
    name: `${loss * 100} %`,
    wire: { loss },
  }));
  return table("Loss, in both directions", rows);
}

function reorderTable(): string {
  const rows = [0, 0.01, 0.05, 0.1, 0.2, 0.5].map((reorder): Row => ({
    name: `${reorder * 100} %`,
    wire: { reorder, reorderMs: 10 },
  }));
  return table("Reordering by up to 10 ms, in both directions", rows);
}

function rttTable(): string {
  const rows = [0.1, 1, 10, 50, 100, 300].map((rtt): Row => ({ name: `${rtt} ms`, wire: {}, rtt }));
  return table("Round-trip time", rows);
}

function bandwidthTable(): string {
  const rows = [1, 10, 100].map((mbit): Row => ({ name: `${mbit} Mbit/s`, wire: {}, mbit }));
  return table("Bandwidth", rows);
}

interface Row {
  readonly name: string;
  readonly wire: Partial<Conditions>;
  readonly rtt?: number;
  readonly mbit?: number;
}

function table(title: string, rows: readonly Row[]): string {
  const lines = rows.map(({ name, wire, rtt, mbit }) => {
    const numbers = ALGORITHMS.map((congestion) => goodput(congestion, wire, rtt, mbit));
    return line(name, numbers.map((number) => number.toFixed(2)));
  });
  return [title, line("", ALGORITHMS), ...lines, ""].join("\n");
}

function line(name: string, cells: readonly string[]): string {
  return name.padEnd(18) + cells.map((cell) => cell.padStart(9)).join("");
}

/** Mbit/s. */
export function goodput(
  congestion: CongestionName,
  wire: Partial<Conditions>,
  rtt: number = RTT_MS,
  mbit: number = BYTES_PER_MS / 125,
  seed: number = 1,
): number {
  const conditions = { ...bottleneck(rtt, mbit), ...wire };
  const path = new Path({ seed, conditions, flows: [{ congestion }] }).run(SECONDS * 1000);
  return path.received[0]! * 8 / (SECONDS * 1e6);
}

/** A queue of one bandwidth-delay product, at least ten packets. */
function bottleneck(rtt: number, mbit: number): Partial<Conditions> {
  const bytesPerMs = mbit * 125;
  return { delayMs: rtt / 2, bytesPerMs, queueBytes: Math.max(bytesPerMs * rtt, 15_000) };
}

const PAIRS: readonly (readonly [CongestionName, CongestionName])[] = [
  ["newreno", "newreno"],
  ["cubic", "cubic"],
  ["bbr", "bbr"],
  ["newreno", "cubic"],
  ["cubic", "bbr"],
];

function fairnessTable(): string {
  const lines = PAIRS.map(([first, second]) => {
    const [a, b] = share({ congestion: first }, { congestion: second, startMs: 5000 });
    const fairness = (a + b) ** 2 / (2 * (a ** 2 + b ** 2));
    const cells = [a.toFixed(2), b.toFixed(2), fairness.toFixed(2)];
    return line(`${first} + ${second}`, cells);
  });
  const head = "Two flows, the second 5 s later: Mbit/s from 10 s to 40 s, Jain's index";
  return [head, ...lines, ""].join("\n");
}

/** Mbit/s of each of two flows on 10 Mbit/s. */
export function share(first: FlowOptions, second: FlowOptions): [number, number] {
  const path = new Path({ seed: 1, conditions: bottleneck(RTT_MS, 10), flows: [first, second] });
  const before = path.run(10_000).received;
  const after = path.run(30_000).received;
  const rates = after.map((bytes, i) => (bytes - before[i]!) * 8 / 30e6);
  return [rates[0]!, rates[1]!];
}
