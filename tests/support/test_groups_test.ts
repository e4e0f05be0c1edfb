import { describe, expect, test } from "bun:test";
import { findRuntime } from "./runtimes.ts";
import { TemporaryFolder } from "./temporary_folder.ts";
import { groupsOf } from "./test_groups.ts";
import { runTests } from "./test_run.ts";

describe("groupsOf", () => {
  // 7 files, at most 3 in a group: no group is a small remainder.
  test("divides files evenly, in their order", () => {
    expect(groupsOf(["a", "b", "c", "d", "e", "f", "g"], 3)).toEqual([
      ["a", "b"],
      ["c", "d"],
      ["e", "f", "g"],
    ]);
    expect(groupsOf(["a"], 3)).toEqual([["a"]]);
    expect(groupsOf([], 3)).toEqual([]);
  });
});

describe("a group of test files on Deno", () => {
  // Three files in one isolate: one has a hook and a failed test, one cannot be loaded.
  test("reports failures by file and applies hooks to their own file", async () => {
    using folder = new TemporaryFolder();
    const write = (name: string, code: string) =>
      folder.write(name, `import { beforeEach, expect, test } from "bun:test";\n${code}`);
    const files = [
      write(
        "first_test.ts",
        `let calls = 0;
         beforeEach(() => void calls++);
         test("runs its hook", () => expect(calls).toBe(1));
         test("fails", () => expect(calls).toBe(0));`,
      ),
      write("second_test.ts", `throw new Error("no such table");`),
      write("third_test.ts", `test("passes", () => expect(1).toBe(1));`),
    ];
    const begun: string[] = [];
    const printed: string[] = [];
    const tally = await runTests(findRuntime("Deno"), files, {
      onFile: (path) => void begun.push(path),
      print: (text) => void printed.push(text),
    });
    expect(tally).toEqual({ passed: 2, failed: 2, skipped: 0 });
    expect(begun).toEqual(files);
    expect(printed.join("\n")).toContain(
      `FAILED ${files[0]} > fails\nUncaught Error: expect(received)`,
    );
    expect(printed.join("\n")).toContain(
      `FAILED ${files[1]} > loads\nUncaught Error: no such table`,
    );
  }, 60_000);
});
