/**
 * All benchmarks, each on Deno and on Bun: `run.ts [--only NAME,...] [--out FILE] [--seconds N]
 * [--rounds N] [--connections N] [--rows TEXT]`. NAME is `micro`, `memory`, `held`, `metrics`,
 * `end-to-end` or `around`.
 * Prints lines of JSON, and adds them to FILE. `--rows` limits `around` to rows that contain TEXT.
 *
 * @module
 */
import { appendFileSync } from "node:fs";
import process from "node:process";
import { parseArgs } from "node:util";
import { Program } from "../support/program.ts";
import { findRuntime, type Runtime } from "../support/runtimes.ts";
import { ROOT } from "../support/source_files.ts";

const LIMIT_MS = 7_200_000;

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      only: { type: "string", default: "micro,memory,held,metrics,end-to-end,around" },
      out: { type: "string" },
      seconds: { type: "string", default: "3" },
      rounds: { type: "string", default: "3" },
      connections: { type: "string", default: "100000" },
      rows: { type: "string", default: "" },
    },
  });
  const { seconds, rounds, connections, rows, out } = values;
  const runtimes = [findRuntime("Deno"), findRuntime("Bun")];
  const only = values.only.split(",");
  for (const runtime of runtimes) {
    if (only.includes("micro")) await run(runtime, out, "micro.ts");
    if (only.includes("memory")) await run(runtime, out, "memory.ts", connections);
    if (only.includes("metrics")) await run(runtime, out, "metrics.ts", connections);
    if (only.includes("held")) await run(runtime, out, "held.ts", connections);
  }
  // These start the service on both by themselves.
  if (only.includes("end-to-end")) await run(runtimes[0]!, out, "end_to_end.ts", seconds, rounds);
  if (only.includes("around")) await run(runtimes[0]!, out, "around.ts", seconds, rounds, rows);
}

async function run(
  runtime: Runtime,
  file: string | undefined,
  module: string,
  ...args: readonly string[]
): Promise<void> {
  const flags = runtime.name === "Deno" ? ["run", "-A", "--v8-flags=--expose-gc"] : [];
  const command = [runtime.executable, ...flags, `tests/bench/${module}`, ...args];
  const { exit, out, log } = await new Program(command, ROOT).finish(LIMIT_MS);
  process.stdout.write(out);
  process.stderr.write(log);
  if (file !== undefined) appendFileSync(file, out);
  if (exit === 0) return;
  console.error(`${module} on ${runtime.name} ended with ${exit}`);
  process.exitCode = 1;
}

await main();
