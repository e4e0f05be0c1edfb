import { describe, expect, test } from "bun:test";
import { isAlone, isLong, LONG_TESTS } from "./long_tests.ts";
import { filePaths } from "./source_files.ts";

describe("LONG_TESTS", () => {
  // A renamed folder would come back into the short run unnoticed.
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

  // The time of a program is not in the time of its test: starting the service takes most of a second.
  test("has the tests that start programs", () => {
    expect(isLong("tests/adapters/service/cli/tools/tools_test.ts")).toBe(true);
    expect(isLong("tests/support/test_groups_test.ts")).toBe(true);
    expect(isLong("tests/adapters/service/cli/table_test.ts")).toBe(false);
  });

  // Simulations only compute, and fill the other core.
  test("says which need the machine for themselves", () => {
    expect(isAlone("tests/e2e/tcp_test.ts")).toBe(true);
    expect(isAlone("tests/adapters/service/cli/tools/tools_test.ts")).toBe(true);
    expect(isAlone("tests/sim/random_test.ts")).toBe(false);
    expect(isAlone("tests/core/wire/seq_test.ts")).toBe(false);
  });
});
