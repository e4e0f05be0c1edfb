/**
 * Runs tests that wait for programs or in real time.
 *
 * @module
 */
import { describeTally, sum, type Tally } from "./junit.ts";
import type { Runtime } from "./runtimes.ts";
import { runTests } from "./test_run.ts";

/** A file and what its tests made on one of the runtimes. */
interface FileRun {
  readonly runtime: Runtime;
  readonly file: string;
  tally: Tally;
}

/**
 * One file of each runtime at a time; a tally for each runtime. These tests wait for programs and for the
 * kernel in real time, and a machine that is shared can be too slow for one of them: files that failed run
 * once more with nothing beside them. Both runs are printed, and the second one counts. A file may have tests for one
 * of the runtimes only.
 */
export async function runAlone(
  runtimes: readonly Runtime[],
  files: readonly string[],
  print: (text: string) => void = console.log,
): Promise<Tally[]> {
  const start = Date.now();
  const runFile = async (runtime: Runtime, file: string): Promise<Tally> => {
    const began = Date.now();
    const tally = await runTests(runtime, [file], { isQuiet: true, mayBeEmpty: true, print });
    const seconds = (since: number) => Math.round((Date.now() - since) / 1000);
    print(
      `${seconds(start)} s: ${runtime.name} ${file}: ${describeTally(tally)} in ${
        seconds(began)
      } s`,
    );
    return tally;
  };
  const runs: FileRun[] = [];
  const lanes = runtimes.map(async (runtime, i) => {
    // Each begins at another file, since the two runs of a file can use the same ports.
    const first = Math.floor(i * files.length / runtimes.length);
    for (const file of [...files.slice(first), ...files.slice(0, first)]) {
      runs.push({ runtime, file, tally: await runFile(runtime, file) });
    }
  });
  await Promise.all(lanes);
  const failed = runs.filter(({ tally }) => tally.failed > 0);
  if (failed.length > 0) {
    print(`\n${failed.length} files failed and run once more, one by one:`);
  }
  for (const run of failed) run.tally = await runFile(run.runtime, run.file);
  for (const [file, ofFile] of Map.groupBy(runs, (run) => run.file)) {
    const { passed, failed, skipped } = sum(ofFile.map(({ tally }) => tally));
    if (passed + failed + skipped > 0) continue;
    print(`${file}: no test ran`);
    ofFile.find(({ runtime }) => runtime === runtimes[0])!.tally = { passed, failed: 1, skipped };
  }
  return runtimes.map((runtime) =>
    sum(runs.filter((run) => run.runtime === runtime).map(({ tally }) => tally))
  );
}
