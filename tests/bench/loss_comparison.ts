/**
 * Goodput at 1 % loss and an RTT of 50 ms: from a stack to the kernel, and from the kernel to
 * itself over the same path. Runs in a network namespace of its own and prints a line of JSON for
 * each run:
 *
 *     deno run -A tests/bench/loss_comparison.ts [SECONDS] [RUNS]
 *     bun tests/bench/loss_comparison.ts [SECONDS] [RUNS]
 *
 * @module
 */
import process from "node:process";
import type { UploadOptions, UploadResult } from "../differential/programs/upload.ts";
import { Namespace } from "../support/namespace.ts";
import { runtimeCommand } from "../support/program.ts";

const [seconds = 20, runs = 3] = process.argv.slice(2).map(Number);
const sums = { kernel: 0, berth: 0 };
for (let seed = 1; seed <= runs; seed++) {
  for (const sender of ["kernel", "berth"] as const) {
    const conditions = { loss: 0.01, delayMs: 25 };
    const megabits = await upload({ sender, seed, seconds, congestion: "cubic", conditions });
    sums[sender] += megabits;
    console.log(JSON.stringify({ sender, seed, megabits: Number(megabits.toFixed(2)) }));
  }
}
console.log(JSON.stringify({ "berth / kernel": Number((sums.berth / sums.kernel).toFixed(2)) }));

async function upload(options: UploadOptions): Promise<number> {
  await using namespace = await Namespace.open();
  const program = "tests/differential/programs/upload.ts";
  const command = runtimeCommand(program, JSON.stringify(options));
  const printed = await namespace.run(command, (options.seconds + 20) * 1000);
  const { bytes }: UploadResult = JSON.parse(printed);
  return bytes * 8 / 1e6 / options.seconds;
}
