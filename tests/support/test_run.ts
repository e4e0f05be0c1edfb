/**
 * Runs test files as processes of a runtime and counts the results.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describeFailures, type Tally, tallyJUnit } from "./junit.ts";
import type { Runtime } from "./runtimes.ts";
import { ROOT } from "./source_files.ts";

const LIMIT_MINUTES = 30;
/** The time limit of a test that sets none. */
const TEST_TIMEOUT_MS = 30_000;
/** How much of a process's output is shown if it fails outside of a test. */
const SHOWN_LINES = 40;

/** How a process runs tests. */
export interface TestRunOptions {
  /** Called for each file that it begins. Its output is then shown only if it fails. */
  readonly onFile?: () => void;
}

/**
 * Runs the files, or all tests without any. A run that fails without a failed test, or that runs
 * none, counts as one failure.
 */
export async function runTests(
  runtime: Runtime,
  files: readonly string[],
  { onFile }: TestRunOptions = {},
): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), "berth-tests-"));
  try {
    const reportFile = join(folder, "report.xml");
    const { exitCode, output } = await run(
      runtime.executable,
      argumentsOf(runtime, reportFile, files),
      onFile,
    );
    const report = await readFile(reportFile, "utf8").catch(() => "");
    const tally = tallyJUnit(report);
    if (onFile !== undefined && tally.failed > 0) console.error(describeFailures(report));
    const failure = tally.failed > 0
      ? undefined
      : exitCode !== 0
      ? `the run failed (exit code ${exitCode ?? "none, it was ended"}) outside of a test`
      : tally.passed === 0
      ? "no test ran"
      : undefined;
    if (failure === undefined) return tally;
    console.error([...output.slice(-SHOWN_LINES), `${runtime.name}: ${failure}`].join("\n"));
    return { ...tally, failed: 1 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function argumentsOf(runtime: Runtime, report: string, files: readonly string[]): string[] {
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

interface Ended {
  /** `null` if it was ended by a signal or the time limit. */
  readonly exitCode: number | null;
  /** Its last lines, if they were not shown. */
  readonly output: readonly string[];
}

function run(program: string, args: readonly string[], onFile?: () => void): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // Tests connect to servers of their own, even if a proxy is configured.
    const own = "127.0.0.1,::1,localhost";
    const isShown = onFile === undefined;
    const plain = isShown ? {} : { NO_COLOR: "1" };
    const env = { ...process.env, NO_PROXY: own, no_proxy: own, ...plain };
    const to = isShown ? "inherit" : "pipe";
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ["ignore", to, to] });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      let rest = "";
      stream?.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines) if (BEGINS_FILE.test(line)) onFile?.();
        output.push(...lines);
        output.splice(0, output.length - SHOWN_LINES);
      });
    }
    const limit = setTimeout(() => {
      console.error(`ended: it ran for more than ${LIMIT_MINUTES} minutes`);
      child.kill("SIGKILL");
    }, LIMIT_MINUTES * 60_000);
    child.once("error", reject);
    child.once("close", (exitCode) => {
      clearTimeout(limit);
      resolve({ exitCode, output });
    });
  });
}

/** What Deno and Bun print before the tests of a file. */
const BEGINS_FILE = /^(?:running \d+ tests? from |tests\/\S+_test\.ts:)/;
