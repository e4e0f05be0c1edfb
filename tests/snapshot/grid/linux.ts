/**
 * The kernel and a stack on paths of the grid, one after the other: each sends to the kernel through
 * a program that does in real time what the simulation does in virtual time. Prints a line of JSON
 * for each cell; needs a TUN device, Linux and Python:
 *
 *     linux.ts [SECONDS] [ATONCE]
 *
 * @module
 */
import process from "node:process";
import type { UploadOptions, UploadResult } from "../../differential/programs/upload.ts";
import { Namespace } from "../../support/namespace.ts";
import { runtimeCommand } from "../../support/program.ts";
import { type Cell, cells, pathOf } from "./cells.ts";
import type { LinuxResult } from "./linux_results.ts";
import { measure } from "./measure.ts";

/** What a timer that is a millisecond late does not change much. */
const COMPARED: readonly Cell[] = cells({
  congestions: ["cubic", "bbr"],
  profiles: ["internet"],
  rtts: [10, 100],
  rates: [1, 10],
});
const SEEDS = [1, 2, 3];
const START_MS = 40_000;
const ATTEMPTS = 3;

const [seconds = 15, atOnce = 2] = process.argv.slice(2).map(Number);
const waiting = [...COMPARED];
await Promise.all(Array.from({ length: atOnce }, compareAll));

async function compareAll(): Promise<void> {
  for (let cell = waiting.shift(); cell; cell = waiting.shift()) {
    const kernel = await attempt(cell, "kernel");
    const berth = await attempt(cell, "berth");
    const runs = SEEDS.map((seed) => measure(cell, seconds, seed).goodput);
    const result: LinuxResult = {
      ...cell,
      kernel: megabits(kernel.bytes * 8 / 1e6 / seconds),
      berth: megabits(berth.bytes * 8 / 1e6 / seconds),
      virtual: megabits(runs.reduce((sum, goodput) => sum + goodput, 0) / runs.length),
      kernelSilenceMs: Math.round(kernel.silenceMs),
      berthSilenceMs: Math.round(berth.silenceMs),
    };
    console.log(JSON.stringify(result));
  }
}

function megabits(exact: number): number {
  return Number(exact.toFixed(3));
}

async function attempt(cell: Cell, sender: UploadOptions["sender"]): Promise<UploadResult> {
  for (let left = ATTEMPTS;; left--) {
    try {
      return await upload(cell, sender);
    } catch (error) {
      if (left <= 1) throw error;
      console.error(String(error));
    }
  }
}

async function upload(cell: Cell, sender: UploadOptions["sender"]): Promise<UploadResult> {
  const { conditions, back } = pathOf(cell);
  const { congestion } = cell;
  const options: UploadOptions = {
    sender,
    congestion,
    seed: 1,
    seconds,
    conditions,
    back,
  };
  await using namespace = await Namespace.open();
  // What the last connection has learned of the path would spare this one its slow start.
  await namespace.shell("sysctl -qw net.ipv4.tcp_no_metrics_save=1");
  const program = runtimeCommand(
    "tests/differential/programs/upload.ts",
    JSON.stringify(options),
  );
  // The program is the path: where others keep the processor it would be a worse one.
  const command = ["nice", "-n", "-10", ...program];
  return JSON.parse(await namespace.run(command, seconds * 1000 + START_MS));
}
