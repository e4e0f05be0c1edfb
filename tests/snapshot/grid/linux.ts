/**
 * The kernel on paths of the grid in real time, and a stack on the same paths in virtual time. Prints
 * a line of JSON for each path; needs TUN devices, Linux and Python, and keeps one processor busy:
 *
 *     linux.ts [PART OF A NAME]...
 *
 * Without arguments all paths are compared; a name is for example `bbr 100 Mbit/s 10 ms loss 1 %`.
 *
 * @module
 */
import process from "node:process";
import type {
  KernelPathOptions,
  KernelPathResult,
} from "../../differential/programs/kernel_path.ts";
import { Namespace } from "../../support/namespace.ts";
import { runtimeCommand } from "../../support/program.ts";
import { type Cell, cells, type Impairment, nameOf, pathOf, SINGLE } from "./cells.ts";
import type { LinuxResult } from "./linux_results.ts";
import { measure } from "./measure.ts";

type Compared = Omit<Cell, "profile">;

/** Too mild to tell stacks apart in some seconds. */
const MILD: readonly Impairment[] = ["loss 0.1 %", "bursts 0.1 %", "reordering 1 %"];
/** Those that carry much less than their impairments alone predict. */
const WORST: readonly (readonly Impairment[])[] = [
  ["loss 5 %", "ACK loss 30 %"],
  ["loss 5 %", "reordering 10 %", "ACK loss 30 %"],
  ["loss 5 %", "reordering 30 %", "bufferbloat"],
  ["loss 1 %", "reordering 10 %", "policer"],
  ["bursts 0.5 %", "reordering 10 %", "ACK compression"],
];
/** Above 100 Mbit/s the program that is the path cannot follow. */
const RATES = [1, 10, 100];
const SEEDS = [1, 2, 3];
const START_MS = 40_000;
const ATTEMPTS = 3;
/** Paths of this rate leave the program time to sleep: so many are measured at a time. */
const SLOW_MBIT = 1;
const SLOW_AT_ONCE = 6;
/**
 * The program simulates the path, so it must not be delayed by other processes. Linux weighs the
 * processes of a session against those of others by its autogroup first.
 */
const IN_FRONT = ["setsid", "--wait", "sh", "-c"];
const FIRST = 'echo -20 >/proc/self/autogroup 2>/dev/null; exec nice -n -20 "$@"';

const wanted = process.argv.slice(2);
const compared: readonly Compared[] = cells({
  congestions: ["cubic", "bbr"],
  profiles: ["internet"],
  rtts: [10, 100],
  rates: RATES,
  rows: [...SINGLE.filter(([one]) => one === undefined || !MILD.includes(one)), ...WORST],
}).filter((cell) => wanted.length === 0 || wanted.some((part) => describe(cell).includes(part)));
const isSlow = ({ mbit }: Compared) => mbit <= SLOW_MBIT;
await compareAll(compared.filter(isSlow), SLOW_AT_ONCE);
await compareAll(compared.filter((cell) => !isSlow(cell)), 1);

function describe({ congestion, mbit, rttMs, impairments }: Compared): string {
  return `${congestion} ${mbit} Mbit/s ${rttMs} ms ${nameOf(impairments)}`;
}

/** Slow start and some hundred packets at least. */
function secondsFor({ mbit, rttMs }: Compared): number {
  if (mbit === 1) return 15;
  return rttMs >= 100 ? 6 : 3;
}

async function compareAll(cells: readonly Compared[], atOnce: number): Promise<void> {
  const waiting = [...cells];
  await Promise.all(Array.from({ length: atOnce }, async () => {
    for (let cell = waiting.shift(); cell; cell = waiting.shift()) await compare(cell);
  }));
}

async function compare(cell: Compared): Promise<void> {
  const seconds = secondsFor(cell);
  const kernel: KernelPathResult[] = [];
  for (const seed of SEEDS) kernel.push(await attempt(cell, seconds, seed));
  const virtual = (profile: Cell["profile"]) =>
    SEEDS.map((seed) => rounded(measure({ ...cell, profile }, seconds, seed).goodput));
  const { congestion, mbit, rttMs, impairments } = cell;
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

async function attempt(cell: Compared, seconds: number, seed: number): Promise<KernelPathResult> {
  for (let left = ATTEMPTS;; left--) {
    try {
      return await run(cell, seconds, seed);
    } catch (error) {
      if (left <= 1) throw error;
      console.error(String(error));
    }
  }
}

async function run(cell: Compared, seconds: number, seed: number): Promise<KernelPathResult> {
  const { congestion } = cell;
  const sleeps = isSlow(cell);
  const options: KernelPathOptions = { congestion, seed, seconds, sleeps, ...pathOf(cell) };
  await using namespace = await Namespace.open();
  // Metrics of the last connection would shorten the slow start of this one.
  await namespace.shell("sysctl -qw net.ipv4.tcp_no_metrics_save=1");
  const program = runtimeCommand(
    "tests/differential/programs/kernel_path.ts",
    JSON.stringify(options),
  );
  const command = [...IN_FRONT, FIRST, "sh", ...program];
  return JSON.parse(await namespace.run(command, seconds * 1000 + START_MS));
}
