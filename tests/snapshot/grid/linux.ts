/**
 * The kernel on paths of the grid in real time, and a stack on the same paths in virtual time. Prints
 * a line of JSON for each path; needs TUN devices, Linux and `cc`, and at times keeps one processor busy:
 *
 *     linux.ts [PART OF A NAME]...
 *
 * Without arguments all paths are compared; a name is for example `bbr 100 Mbit/s 10 ms loss 1 %`.
 *
 * @module
 */
import process from "node:process";
import { KernelPath } from "../../differential/kernel_path.ts";
import { type Cell, cells, type Impairment, nameOf, pathOf, SINGLE } from "./cells.ts";
import type { LinuxResult } from "./linux_results.ts";
import { measure } from "./measure.ts";

type Compared = Omit<Cell, "profile">;

/** Impairments that are too mild to distinguish stacks within seconds. */
const MILD: readonly Impairment[] = ["loss 0.1 %", "bursts 0.1 %", "reordering 1 %"];
/** Combinations whose goodput is much lower than that of their single impairments predicts. */
const WORST: readonly (readonly Impairment[])[] = [
  ["loss 5 %", "ACK loss 30 %"],
  ["loss 5 %", "reordering 10 %", "ACK loss 30 %"],
  ["loss 5 %", "reordering 30 %", "bufferbloat"],
  ["loss 1 %", "reordering 10 %", "policer"],
  ["bursts 0.5 %", "reordering 10 %", "ACK compression"],
];
/** Seeds of several runs, because a single run depends on which packets happen to be lost. */
const SEEDS = [1, 2, 3, 4, 5, 6, 7, 8, 9];
const FEW_SEEDS = [1, 2, 3];
/** From this rate on, a run in virtual time takes too long for many seeds. */
const FAST_MBIT = 1000;
/** Kilobits in flight, above which the first loss decides how slow start ends, so that the result depends on chance. */
const LARGE_FLIGHT = 1000;
/** A packet takes 12 ms at this rate, so the path can sleep, and several paths are measured at a time. */
const SLOW_MBIT = 1;
const SLOW_AT_ONCE = 6;

const wanted = process.argv.slice(2);
const compared: readonly Compared[] = cells({
  congestions: ["cubic", "bbr"],
  profiles: ["internet"],
  rtts: [1, 10, 100],
  rates: [1, 10, 100, 1000],
  rows: [...SINGLE.filter(([one]) => one === undefined || !MILD.includes(one)), ...WORST],
}).filter((cell) => wanted.length === 0 || wanted.some((part) => describe(cell).includes(part)));
using path = KernelPath.compile();
await compareAll(compared.filter((cell) => !polls(cell)), SLOW_AT_ONCE);
await compareAll(compared.filter(polls), 1);

function describe({ congestion, mbit, rttMs, impairments }: Compared): string {
  return `${congestion} ${mbit} Mbit/s ${rttMs} ms ${nameOf(impairments)}`;
}

function polls({ mbit }: Compared): boolean {
  return mbit > SLOW_MBIT;
}

/** Whether the result depends mostly on where the first losses are. */
function isOfChance({ mbit, rttMs, impairments }: Compared): boolean {
  const [first] = impairments;
  return mbit * rttMs >= LARGE_FLIGHT && (first === "loss 1 %" || first === "bursts 0.5 %");
}

/** How long to run: enough for slow start and at least some hundred packets. */
function secondsFor({ mbit, rttMs, impairments }: Compared): number {
  if (mbit === 1) return 15;
  if (rttMs >= 100 && nameOf(impairments) === "loss 1 %") return 25;
  if (mbit === 1000) return rttMs >= 100 ? 4 : 1.5;
  return rttMs >= 100 ? 6 : 3;
}

async function compareAll(cells: readonly Compared[], atOnce: number): Promise<void> {
  const waiting = [...cells];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let cell = waiting.shift(); cell; cell = waiting.shift()) await compare(cell);
  }));
}

async function compare(cell: Compared): Promise<void> {
  const { congestion, mbit, rttMs, impairments } = cell;
  const seconds = secondsFor(cell);
  const kernel = [];
  for (const seed of isOfChance(cell) ? SEEDS : FEW_SEEDS) {
    const given = { congestion, seed, seconds, polls: polls(cell), ...pathOf(cell) };
    kernel.push(await path.run(given));
  }
  const seeds = mbit < FAST_MBIT || isOfChance(cell) ? SEEDS : FEW_SEEDS;
  const virtual = (profile: Cell["profile"]) =>
    seeds.map((seed) => rounded(measure({ ...cell, profile }, seconds, seed).goodput));
  const result: LinuxResult = {
    congestion,
    mbit,
    rttMs,
    impairments,
    kernel: kernel.map(({ bytes }) => rounded(bytes * 8 / 1e6 / seconds)),
    internet: virtual("internet"),
    local: virtual("local"),
    kernelSilenceMs: kernel.map(({ silenceMs }) => Math.round(silenceMs)),
    lateMs: kernel.map(({ lateMs }) => rounded(lateMs)),
  };
  console.log(JSON.stringify(result));
}

function rounded(exact: number): number {
  return Number(exact.toFixed(3));
}
