/**
 * The tests that `deno task test` leaves out, because they take most of the time.
 *
 * @module
 */

/** A file or folder of tests, from the root, and what it tests. */
export interface LongTests {
  readonly path: string;
  readonly what: string;
}

/** All of them; `deno task test:all` and CI run these too. */
export const LONG_TESTS: readonly LongTests[] = [
  { path: "tests/e2e/", what: "the service as a process, with other programs" },
  { path: "tests/differential/", what: "the kernel as the peer" },
  { path: "tests/sim/", what: "random simulations" },
  { path: "tests/snapshot/", what: "figures of simulated paths" },
  { path: "tests/fuzz/", what: "random segments, and floods" },
  { path: "tests/bench/", what: "programs of the benchmarks" },
  { path: "tests/adapters/links/tun/", what: "TUN devices" },
  { path: "tests/docs_test.ts", what: "the examples of the documentation" },
  {
    path: "tests/adapters/service/cli/command_line_test.ts",
    what: "the command line as a process",
  },
];

/** Whether a test file, a path from the root, is one of them. */
export function isLong(file: string): boolean {
  return LONG_TESTS.some(({ path }) => path.endsWith("/") ? file.startsWith(path) : file === path);
}
