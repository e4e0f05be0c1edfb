import { describe, expect, test } from "bun:test";
import { examplesInDocstrings, examplesInMarkdown } from "./examples.ts";

const page = [
  "# Title",
  "```ts",
  "const a = 1;",
  "```",
  "```ts ignore",
  "nonsense",
  "```",
  "```sh",
  "ls",
  "```",
  "```ts no_run",
  "await stack.finished;",
  "```",
  "```ts tun",
  "await openTun();",
  "```",
];

describe("examplesInMarkdown", () => {
  // Other languages and blocks marked `ignore` are skipped.
  test("finds blocks marked ts with their line", () => {
    expect(examplesInMarkdown(page.join("\n"))).toEqual([
      { line: 3, code: "const a = 1;\n", runs: true, needsTun: false },
      { line: 12, code: "await stack.finished;\n", runs: false, needsTun: false },
      { line: 15, code: "await openTun();\n", runs: true, needsTun: true },
    ]);
  });
});

describe("examplesInDocstrings", () => {
  // The stars of the comment are removed, but not those of the example.
  test("finds blocks marked ts without the stars", () => {
    const comment = ["/**", " * Adds.", " *", " * ```ts", " * const b = 2", " *   * 3;", " * ```"];
    expect(examplesInDocstrings([...comment, " */"].join("\n"))).toEqual([
      { line: 5, code: "const b = 2\n  * 3;\n", runs: true, needsTun: false },
    ]);
  });
});
