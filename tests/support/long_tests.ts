/**
 * The tests that `deno task test` leaves out, because they take most of the time.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { basename, dirname, join } from "node:path";
import { ROOT } from "./source_files.ts";

/** A file or folder of tests, from the root, and what it tests. */
export interface LongTests {
  readonly path: string;
  readonly what: string;
  /** They wait for programs or in real time: only one file of each runtime runs at a time. */
  readonly isAlone?: true;
}

/** The longest tests. All other tests that start programs are long, too. `deno task test:all` and CI run these too. */
export const LONG_TESTS: readonly LongTests[] = [
  { path: "tests/e2e/", what: "the service as a process, with other programs", isAlone: true },
  { path: "tests/differential/", what: "the kernel as the peer", isAlone: true },
  { path: "tests/sim/", what: "random simulations" },
  { path: "tests/snapshot/", what: "figures of simulated paths" },
  { path: "tests/fuzz/", what: "random segments, and floods" },
  { path: "tests/bench/", what: "programs of the benchmarks", isAlone: true },
  { path: "tests/adapters/links/tun/", what: "TUN devices", isAlone: true },
  { path: "tests/adapters/links/decorators/impair_test.ts", what: "rates of impaired links" },
  {
    path: "tests/adapters/plugins/forward_bulk_test.ts",
    what: "bulk transfers to the host",
    isAlone: true,
  },
  { path: "tests/adapters/service/inspection/packet_capture_test.ts", what: "long captures" },
  { path: "tests/core/api/moves/moves_test.ts", what: "moves of many connections" },
  { path: "tests/core/api/tcp/event_replay_test.ts", what: "replays of event logs" },
  { path: "tests/core/stack/peers/message_test.ts", what: "forged datagrams of peers" },
  { path: "tests/core/stack/peers/peers_test.ts", what: "instances that come and go" },
  { path: "tests/core/stack/sharding/generations_test.ts", what: "many earlier processes" },
  { path: "tests/core/tcp/autotune_test.ts", what: "buffers on fast paths" },
  { path: "tests/core/tcp/congestion/bbr_test.ts", what: "long transfers with BBR" },
  { path: "tests/plugins/middleware/conservation_test.ts", what: "every order of closing" },
  { path: "tests/catalogue_test.ts", what: "the generated reference" },
  { path: "tests/exports_test.ts", what: "the types of the entry points" },
];

/** An import of a test that starts programs. */
const STARTS_PROGRAMS =
  /from "(?:node:child_process|(?:.*\/support|\.)\/(?:describe_in_namespace|namespace|program|service_run|test_run|tutorial)\.ts)"/;

/** Whether a test file, a path from the root, is one of them. */
export function isLong(file: string): boolean {
  return rowOf(file) !== undefined || startsPrograms(file);
}

/** Whether only one such file of a runtime runs at a time. */
export function isAlone(file: string): boolean {
  return rowOf(file)?.isAlone ?? startsPrograms(file);
}

/** What a run without them leaves out: a line for each row of the table and for each other folder. */
export function describeLeftOut(files: readonly string[]): string[] {
  const rows = LONG_TESTS.map((row) => {
    const count = files.filter((file) => rowOf(file) === row).length;
    const number = row.path.endsWith("/") ? ` (${count})` : "";
    return `  ${row.path}${number}: ${row.what}`;
  });
  const others = Map.groupBy(
    files.filter((file) => rowOf(file) === undefined),
    (file) => dirname(file),
  );
  const names = (paths: readonly string[]) =>
    paths.map((path) => basename(path, "_test.ts")).join(", ");
  return [
    ...rows,
    "Others that start programs:",
    ...[...others].map(([folder, paths]) => `  ${folder}/: ${names(paths)}`),
  ];
}

function rowOf(file: string): LongTests | undefined {
  return LONG_TESTS.find(({ path }) => path.endsWith("/") ? file.startsWith(path) : file === path);
}

function startsPrograms(file: string): boolean {
  return STARTS_PROGRAMS.test(readFileSync(join(ROOT, file), "utf8"));
}
