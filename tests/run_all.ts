/**
 * Runs the tests on Deno and on Bun and ends with one line that adds both up.
 *
 *     run_all.ts [deno|bun] [FILE...]
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import { describeTally, sum, type Tally, tallyJUnit } from "./support/junit.ts";
import { findRuntime, type Runtime } from "./support/runtimes.ts";

const ROOT = fileURLToPath(new URL("..", import.meta.url));
const LIMIT_MINUTES = 30;
/** The time limit of a test that sets none. */
const TEST_TIMEOUT_MS = 30_000;

async function main(args: readonly string[]): Promise<void> {
  const only = args[0]?.toLowerCase();
  const names = (["Deno", "Bun"] as const).filter((name) => name.toLowerCase() === only);
  const files = names.length > 0 ? args.slice(1) : args;
  const tallies: Tally[] = [];
  const lines: string[] = [];
  for (const runtime of (names.length > 0 ? names : ["Deno", "Bun"] as const).map(findRuntime)) {
    console.log(`\n${runtime.name} ${runtime.version}\n`);
    const tally = await runTests(runtime, files);
    tallies.push(tally);
    lines.push(`${runtime.name} ${runtime.version}: ${describeTally(tally)}`);
  }
  const total = sum(tallies);
  console.log(`\n${lines.join("\n")}\n${describeTally(total)}`);
  process.exitCode = total.failed > 0 ? 1 : 0;
}

/** A run that failed without a failed test, or that ran none, counts as one failure. */
async function runTests(runtime: Runtime, files: readonly string[]): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), "berth-tests-"));
  try {
    const report = join(folder, "report.xml");
    const exitCode = await run(runtime.executable, testArguments(runtime, report, files));
    const tally = tallyJUnit(await readFile(report, "utf8").catch(() => ""));
    const failure = tally.failed > 0
      ? undefined
      : exitCode !== 0
      ? `the run failed (exit code ${exitCode ?? "none, it was ended"}) outside of a test`
      : tally.passed === 0
      ? "no test ran"
      : undefined;
    if (failure === undefined) return tally;
    console.error(`${runtime.name}: ${failure}`);
    return { ...tally, failed: 1 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function testArguments(runtime: Runtime, report: string, files: readonly string[]): string[] {
  return runtime.name === "Deno"
    ? ["test", "-A", "--no-check", `--junit-path=${report}`, ...(files.length ? files : ["tests/"])]
    : [
      "test",
      `--timeout=${TEST_TIMEOUT_MS}`,
      "--reporter=junit",
      `--reporter-outfile=${report}`,
      ...files,
    ];
}

/** Resolves with the exit code; with null when the program was ended by a signal or the limit. */
function run(program: string, args: readonly string[]): Promise<number | null> {
  return new Promise((resolve, reject) => {
    // Tests connect to servers of their own, even if a proxy is configured.
    const own = "127.0.0.1,::1,localhost";
    const env = { ...process.env, NO_PROXY: own, no_proxy: own };
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ["ignore", "inherit", "inherit"] });
    const limit = setTimeout(() => {
      console.error(`ended: it ran for more than ${LIMIT_MINUTES} minutes`);
      child.kill("SIGKILL");
    }, LIMIT_MINUTES * 60_000);
    child.once("error", reject);
    child.once("exit", (code) => {
      clearTimeout(limit);
      resolve(code);
    });
  });
}

if (import.meta.main) {
  await main(process.argv.slice(2)).catch((error: Error) => {
    console.error(error.message);
    console.log("0 passed, 1 failed");
    process.exitCode = 1;
  });
}
