import { describe, expect, test } from "bun:test";
import { describeLeftOut, isAlone, isLong, LONG_TESTS } from "./long_tests.ts";
import { filePaths } from "./source_files.ts";

describe("LONG_TESTS", () => {
  // Otherwise a renamed folder would return to the short run unnoticed.
  test("names folders and files that have tests", () => {
    const files = filePaths(["tests"], "_test.ts");
    for (const { path } of LONG_TESTS) {
      expect([path, files.filter((file) => file.startsWith(path)).length > 0]).toEqual([
        path,
        true,
      ]);
    }
  });

  test("leaves most files in the short run", () => {
    const files = filePaths(["tests"], "_test.ts");
    expect(files.filter(isLong).length).toBeLessThan(files.length / 3);
    expect(isLong("tests/core/wire/seq_test.ts")).toBe(false);
    expect(isLong("tests/e2e/tcp_test.ts")).toBe(true);
  });

  // Tests that start programs count as long: starting the service alone takes most of a second.
  test("has the tests that start programs", () => {
    expect(isLong("tests/adapters/service/cli/tools/tools_test.ts")).toBe(true);
    expect(isLong("tests/support/test_groups_test.ts")).toBe(true);
    expect(isLong("tests/adapters/service/cli/table_test.ts")).toBe(false);
  });

  // Simulations only compute, so they can run next to other tests.
  test("says which need the machine for themselves", () => {
    expect(isAlone("tests/e2e/tcp_test.ts")).toBe(true);
    expect(isAlone("tests/adapters/service/cli/tools/tools_test.ts")).toBe(true);
    expect(isAlone("tests/sim/random_test.ts")).toBe(false);
    expect(isAlone("tests/core/wire/seq_test.ts")).toBe(false);
  });

  // A reader of "passed" at the end has to see every file that did not run.
  test("are all named at the end of a run without them, by folder or by file", () => {
    const lines = describeLeftOut([
      ...["tests/e2e/a_test.ts", "tests/e2e/b_test.ts", "tests/catalogue_test.ts"],
      ...["tests/x/c_test.ts", "tests/x/d_test.ts", "tests/y/e_test.ts"],
    ]);
    expect(lines[0]).toBe("  tests/e2e/ (2): the service as a process, with other programs");
    expect(lines).toContain("  tests/catalogue_test.ts: the generated reference");
    expect(lines.slice(LONG_TESTS.length)).toEqual([
      "Others that start programs:",
      "  tests/x/: c, d",
      "  tests/y/: e",
    ]);
  });
});
