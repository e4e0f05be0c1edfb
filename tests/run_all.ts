/**
 * Runs the tests on Deno and on Bun and ends with one line that adds both up.
 *
 *     run_all.ts [--all] [deno|bun] [FILE...]
 *
 * The short tests run in groups of files, as many groups at a time as there are cores. With `--all`
 * so do the long ones that only compute; the others follow, one file of each runtime at a time, and
 * those that fail run once more by themselves. Files that are named run in turn, with their output.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { runAlone } from "./support/alone_runs.ts";
import { describeTally, sum, type Tally } from "./support/junit.ts";
import { describeLeftOut, isAlone, isLong } from "./support/long_tests.ts";
import { findRuntime, type Runtime } from "./support/runtimes.ts";
import { filePaths } from "./support/source_files.ts";
import { groupsOf } from "./support/test_groups.ts";
import { runTests } from "./support/test_run.ts";

const PROGRESS_EVERY_MS = 10_000;
/** Small enough that the cores finish at about the same time. */
const FILES_IN_GROUP = 36;
const MAX_PROCESSES = 8;

async function main(args: readonly string[]): Promise<void> {
  const { values: { all }, positionals } = parseArgs({
    args: [...args],
    options: { all: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const only = positionals[0]?.toLowerCase();
  const names = (["Deno", "Bun"] as const).filter((name) => name.toLowerCase() === only);
  const named = names.length > 0 ? positionals.slice(1) : positionals;
  const runtimes = (names.length > 0 ? names : ["Deno", "Bun"] as const).map(findRuntime);
  const tallies = named.length > 0
    ? await runInTurn(runtimes, named)
    : await runFiles(runtimes, all);
  const lines = runtimes.map(({ name, version }, i) =>
    `${name} ${version}: ${describeTally(tallies[i]!)}`
  );
  const total = sum(tallies);
  console.log(`\n${lines.join("\n")}\n${describeTally(total)}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

/** All tests, or the short ones; a tally for each runtime. */
async function runFiles(runtimes: readonly Runtime[], all: boolean): Promise<Tally[]> {
  const files = filePaths(["tests"], "_test.ts");
  const long = files.filter(isLong);
  const short = groupsOf(files.filter((file) => !long.includes(file)), FILES_IN_GROUP);
  if (!all) {
    const tallies = await runGroups(runtimes, short);
    console.log(`\nLeft out, ${long.length} files; test:all runs them:`);
    console.log(describeLeftOut(long).join("\n"));
    return tallies;
  }
  const alone = long.filter(isAlone);
  const computing = long.filter((file) => !alone.includes(file)).map((file) => [file]);
  const together = await runGroups(runtimes, [...computing, ...short]);
  const one = await runAlone(runtimes, alone);
  return runtimes.map((_, i) => sum([together[i]!, one[i]!]));
}

/** One runtime after the other, with their output; a tally for each runtime. */
async function runInTurn(
  runtimes: readonly Runtime[],
  files: readonly string[],
): Promise<Tally[]> {
  const tallies: Tally[] = [];
  for (const runtime of runtimes) {
    console.log(`\n${runtime.name} ${runtime.version}\n`);
    tallies.push(await runTests(runtime, files));
  }
  return tallies;
}

/**
 * In groups, with a line of progress now and then; a tally for each runtime. The first runtime has
 * its groups first, so that hardly a file runs on both at the same time.
 */
async function runGroups(
  runtimes: readonly Runtime[],
  groups: readonly (readonly string[])[],
): Promise<Tally[]> {
  const count = groups.flat().length;
  const begun = runtimes.map(() => 0);
  const tallies: Tally[][] = runtimes.map(() => []);
  const waiting = runtimes.flatMap((runtime, i) =>
    groups.map((group) => async () => {
      tallies[i]!.push(await runTests(runtime, group, { onFile: () => void begun[i]!++ }));
    })
  );
  const runWaiting = async () => {
    for (let run = waiting.shift(); run !== undefined; run = waiting.shift()) await run();
  };
  const start = Date.now();
  const progress = setInterval(() => {
    const counts = runtimes.map(({ name }, i) => `${name} ${begun[i]}`).join(", ");
    const seconds = Math.round((Date.now() - start) / 1000);
    console.log(`${seconds} s: ${counts} of ${count} files`);
  }, PROGRESS_EVERY_MS);
  try {
    const processes = Math.min(MAX_PROCESSES, availableParallelism());
    await Promise.all(Array.from({ length: processes }, runWaiting));
  } finally {
    clearInterval(progress);
  }
  return tallies.map(sum);
}

if (import.meta.main) {
  await main(process.argv.slice(2)).catch((error: Error) => {
    console.error(error.message);
    console.log("0 passed, 1 failed");
    process.exitCode = 1;
  });
}
