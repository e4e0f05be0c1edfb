import { expect, test } from "bun:test";
import { existsSync } from "node:fs";
import { runAlone } from "./alone_runs.ts";
import { findRuntime } from "./runtimes.ts";
import { TemporaryFolder } from "./temporary_folder.ts";

// Of three files on each runtime one passes, one fails every time, and one fails until it has run twice.
test("a file that failed runs once more, and the second run counts", async () => {
  using folder = new TemporaryFolder();
  const write = (name: string, code: string) =>
    folder.write(name, `import { expect, test } from "bun:test";\n${code}`);
  const files = [
    write("passes_test.ts", `test("passes", () => expect(1).toBe(1));`),
    write("fails_test.ts", `test("fails", () => expect(1).toBe(2));`),
    write(
      "waits_test.ts",
      `import { existsSync, writeFileSync } from "node:fs";
       import process from "node:process";
       const mark = new URL(process.versions.bun ? "bun" : "deno", import.meta.url);
       test("is late", () => {
         const isSecond = existsSync(mark);
         writeFileSync(mark, "");
         expect(isSecond).toBe(true);
       });`,
    ),
  ];
  const printed: string[] = [];
  const runtimes = [findRuntime("Deno"), findRuntime("Bun")];
  const tallies = await runAlone(runtimes, files, (text) => void printed.push(text));
  const tally = { passed: 2, failed: 1, skipped: 0 };
  expect(tallies).toEqual([tally, tally]);
  const output = printed.join("\n");
  expect(output).toContain("4 files failed and run once more, one by one:");
  for (const name of ["Deno", "Bun"]) {
    const late = printed.filter((line) => line.includes(`${name} ${files[2]}`));
    expect(late.map((line) => /\d+ passed, \d+ failed/.exec(line)?.[0])).toEqual([
      "0 passed, 1 failed",
      "1 passed, 0 failed",
    ]);
  }
  expect(existsSync(folder.file("bun"))).toBe(true);
  expect(existsSync(folder.file("deno"))).toBe(true);
}, 60_000);

// One file has a test on Bun only, the other none at all.
test("a file without a test for any of the runtimes is a failure", async () => {
  using folder = new TemporaryFolder();
  const files = [
    folder.write(
      "bun_test.ts",
      `import { test } from "bun:test";
       import process from "node:process";
       if (process.versions.bun) test("passes", () => {});`,
    ),
    folder.write("none_test.ts", "export {};"),
  ];
  const printed: string[] = [];
  const runtimes = [findRuntime("Deno"), findRuntime("Bun")];
  const tallies = await runAlone(runtimes, files, (text) => void printed.push(text));
  expect(tallies).toEqual([
    { passed: 0, failed: 1, skipped: 0 },
    { passed: 1, failed: 0, skipped: 0 },
  ]);
  expect(printed.join("\n")).toContain(`${files[1]}: no test ran`);
}, 60_000);
