import { readdirSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { ROOT } from "../support/source_files.ts";
import { ROWS } from "./rows.ts";

const read = (path: string) => readFileSync(join(ROOT, path), "utf8");

describe("ROWS", () => {
  // Rows are grouped by section, so their order does not show gaps.
  test("are numbered from 1 without a gap", () => {
    const numbers = ROWS.map(({ number }) => number).sort((a, b) => a - b);
    expect(numbers).toEqual(ROWS.map((_, i) => i + 1));
  });

  // Otherwise a row without a test would show up only in the report.
  test("have a test each", () => {
    const sections = readdirSync(join(ROOT, "tests/conformance"))
      .filter((name) => name.startsWith("section_"));
    const tested = sections.flatMap((name) =>
      [...read(`tests/conformance/${name}`).matchAll(/row(?:\.decidedAgainst)?\(\s*(\d+)/g)]
        .map(([, number]) => Number(number))
    );
    expect(ROWS.map(({ number }) => number).filter((number) => !tested.includes(number)))
      .toEqual([]);
  });

  // The number of rows is mentioned where the command is described.
  test.each([
    ["README.md", /(\d+) behaviours of TCP/g],
    ["CHANGELOG.md", /(\d+) behaviours of TCP/g],
    ["deno.json", /(\d+) behaviours of TCP/g],
    ["docs/conformance.md", /names (\d+) of them|`N of (\d+)`/g],
  ])("are as many as %s says", (path, pattern) => {
    const counts = [...read(path).matchAll(pattern)].map(([, one, other]) => Number(one ?? other));
    expect(counts.length).toBeGreaterThan(0);
    for (const count of counts) expect(count).toBe(ROWS.length);
  });
});
