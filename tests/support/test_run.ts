/**
 * Runs test files as processes of a runtime and counts the results.
 *
 * @module
 */
import { spawn } from "node:child_process";
import { mkdtemp, readFile, rm, writeFile } from "node:fs/promises";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { describeFailures, type Tally, tallyJUnit } from "./junit.ts";
import type { Runtime } from "./runtimes.ts";
import { ROOT } from "./source_files.ts";
import { groupModule } from "./test_groups.ts";

const LIMIT_MINUTES = 30;
/** The time limit of a test that sets none. */
const TEST_TIMEOUT_MS = 30_000;
/** How many of the last lines of a process are shown if it fails. */
const SHOWN_LINES = 60;

/** How a process runs tests. */
export interface TestRunOptions {
  /**
   * Called for each file that it begins. The files then share one isolate on Deno too, and the output
   * is shown only if a test fails.
   */
  readonly onFile?: (path: string) => void;
  /** Shows the output only if a test fails. */
  readonly isQuiet?: boolean;
  /** The files may have no test on this runtime. */
  readonly mayBeEmpty?: boolean;
  /** Prints what failed; `console.error` by default. */
  readonly print?: (text: string) => void;
}

/**
 * Runs the files. A run that fails without a failed test, that runs none, or that leaves a file out,
 * counts as one failure.
 */
export async function runTests(
  runtime: Runtime,
  files: readonly string[],
  { onFile, isQuiet = onFile !== undefined, mayBeEmpty = false, print = console.error }:
    TestRunOptions = {},
): Promise<Tally> {
  const folder = await mkdtemp(join(tmpdir(), "berth-tests-"));
  try {
    const reportFile = join(folder, "report.xml");
    const isOneModule = onFile !== undefined && runtime.name === "Deno";
    const modules = isOneModule ? [await writeGroup(folder, files)] : files;
    const begun = new Set<string>();
    const onBegun = onFile && ((path: string) => {
      begun.add(path);
      onFile(path);
    });
    const { exitCode, output } = await run(
      runtime.executable,
      argumentsOf(runtime, reportFile, modules),
      { onFile: onBegun, isQuiet },
    );
    const report = await readFile(reportFile, "utf8").catch(() => "");
    const tally = tallyJUnit(report);
    if (isQuiet && tally.failed > 0) print(describeFailures(report));
    const left = onFile === undefined ? [] : files.filter((path) => !begun.has(path));
    const failure = left.length > 0
      ? `these files did not run: ${left.join(", ")}`
      : tally.failed > 0
      ? undefined
      : exitCode !== 0
      ? `the run failed (exit code ${exitCode ?? "none, it was ended"}) outside of a test`
      : tally.passed === 0 && !mayBeEmpty
      ? "no test ran"
      : undefined;
    if (failure === undefined) return tally;
    print([...output.slice(-SHOWN_LINES), `${runtime.name}: ${failure}`].join("\n"));
    return { ...tally, failed: tally.failed + 1 };
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

async function writeGroup(folder: string, files: readonly string[]): Promise<string> {
  const path = join(folder, "group_test.ts");
  await writeFile(path, groupModule(files));
  return path;
}

function argumentsOf(runtime: Runtime, report: string, files: readonly string[]): string[] {
  return runtime.name === "Deno"
    ? ["test", "-A", "--no-check", `--junit-path=${report}`, ...files]
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

function run(
  program: string,
  args: readonly string[],
  { onFile, isQuiet }: {
    readonly onFile?: ((path: string) => void) | undefined;
    readonly isQuiet: boolean;
  },
): Promise<Ended> {
  return new Promise((resolve, reject) => {
    // Tests connect to servers of their own, even if a proxy is configured.
    const own = "127.0.0.1,::1,localhost";
    const plain = isQuiet ? { NO_COLOR: "1" } : {};
    const env = { ...process.env, NO_PROXY: own, no_proxy: own, ...plain };
    const to = isQuiet ? "pipe" : "inherit";
    const child = spawn(program, args, { cwd: ROOT, env, stdio: ["ignore", to, to] });
    const output: string[] = [];
    for (const stream of [child.stdout, child.stderr]) {
      let rest = "";
      stream?.setEncoding("utf8").on("data", (text: string) => {
        const lines = (rest + text).split("\n");
        rest = lines.pop()!;
        for (const line of lines) {
          const path = BEGINS_FILE.exec(line)?.[1];
          if (path !== undefined) onFile?.(path);
        }
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

/** What Bun and the groups of Deno print before the tests of a file. */
const BEGINS_FILE = /^(\S+_test\.ts):$/;
