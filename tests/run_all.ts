/**
 * Runs the tests on Deno and on Bun and ends with one line that adds both up.
 *
 *     run_all.ts [--all] [deno|bun] [FILE...]
 *
 * Without `--all` and without files the long tests are left out, and the rest runs in as many
 * processes as there are cores.
 *
 * @module
 */
import { availableParallelism } from "node:os";
import process from "node:process";
import { parseArgs } from "node:util";
import { describeTally, sum, type Tally } from "./support/junit.ts";
import { isLong, LONG_TESTS } from "./support/long_tests.ts";
import { findRuntime, type Runtime } from "./support/runtimes.ts";
import { filePaths } from "./support/source_files.ts";
import { runTests } from "./support/test_run.ts";

const PROGRESS_EVERY_MS = 10_000;

async function main(args: readonly string[]): Promise<void> {
  const { values: { all }, positionals } = parseArgs({
    args: [...args],
    options: { all: { type: "boolean", default: false } },
    allowPositionals: true,
  });
  const only = positionals[0]?.toLowerCase();
  const names = (["Deno", "Bun"] as const).filter((name) => name.toLowerCase() === only);
  const files = names.length > 0 ? positionals.slice(1) : positionals;
  const runtimes = (names.length > 0 ? names : ["Deno", "Bun"] as const).map(findRuntime);
  const isShort = !all && files.length === 0;
  const tallies = isShort ? await runShort(runtimes) : await runInTurn(runtimes, files);
  const lines = runtimes.map(({ name, version }, i) =>
    `${name} ${version}: ${describeTally(tallies[i]!)}`
  );
  const total = sum(tallies);
  if (isShort) console.log(leftOut());
  console.log(`\n${lines.join("\n")}\n${describeTally(total)}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

/** One runtime after the other, with their output. */
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

/** All but the long tests, at the same time, with a line of progress now and then. */
async function runShort(runtimes: readonly Runtime[]): Promise<Tally[]> {
  const files = filePaths(["tests"], "_test.ts").filter((file) => !isLong(file));
  const begun = runtimes.map(() => 0);
  const start = Date.now();
  const progress = setInterval(() => {
    const counts = runtimes.map(({ name }, i) => `${name} ${begun[i]}`).join(", ");
    const seconds = Math.round((Date.now() - start) / 1000);
    console.log(`${seconds} s: ${counts} of ${files.length} files`);
  }, PROGRESS_EVERY_MS);
  try {
    return await Promise.all(runtimes.map(async (runtime, i) => {
      const onFile = () => void begun[i]!++;
      const parts = partsOf(files, runtime);
      return sum(await Promise.all(parts.map((part) => runTests(runtime, part, { onFile }))));
    }));
  } finally {
    clearInterval(progress);
  }
}

/** Deno loads each file anew, which takes most of its time: it gets a process for each core. */
function partsOf(files: readonly string[], { name }: Runtime): string[][] {
  const count = name === "Deno" ? Math.min(4, availableParallelism()) : 1;
  return Array.from({ length: count }, (_, part) => files.filter((_, i) => i % count === part));
}

function leftOut(): string {
  const rows = LONG_TESTS.map(({ path, what }) => `  ${path}: ${what}`);
  return `\nLeft out, run them with test:all:\n${rows.join("\n")}`;
}

if (import.meta.main) {
  await main(process.argv.slice(2)).catch((error: Error) => {
    console.error(error.message);
    console.log("0 passed, 1 failed");
    process.exitCode = 1;
  });
}
