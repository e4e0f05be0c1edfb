import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { filePaths, ROOT } from "./support/source_files.ts";

/** A number in docs/limits.md with its name in the code. */
interface Limit {
  readonly file: string;
  readonly name: string;
  readonly value: number;
}

const page = readFileSync(join(ROOT, "docs/limits.md"), "utf8");
const rows = page.split("\n").filter((line) => line.startsWith("| ") && line.includes("]("));

function filesOf(row: string): string[] {
  return [...row.matchAll(/\]\(\.\.\/([^)]+)\)/g)].map(([, file]) => file!);
}

const limits: Limit[] = rows.flatMap((row) =>
  [...row.matchAll(/`([A-Za-z_]+)` (\d+)/g)].map(([, name, value]) => ({
    file: filesOf(row)[0]!,
    name: name!,
    value: Number(value),
  }))
);

/** The values that a file gives to a constant, an option's default or a property. */
function valuesOf(text: string, name: string): number[] {
  const number = "([0-9][0-9_]*(?: \\* [0-9_]+)*)";
  const patterns = [
    `\\b${name}(?:: number)? = ${number}`,
    `\\b${name}: \\w+(?:\\([^)]*\\))?\\.default\\(${number}\\)`,
    `\\b${name}: ${number}`,
    `\\b${name}: number\\(.*?\\.default\\(${number}\\)`,
  ];
  return patterns.flatMap((pattern) =>
    [...text.matchAll(new RegExp(pattern, "g"))].map(([, found]) =>
      found!.replaceAll("_", "").split(" * ").reduce((product, each) => product * Number(each), 1)
    )
  );
}

describe("docs/limits.md", () => {
  // Each row names a file that has the constant or the option with this value.
  test.each(limits.map(({ file, name, value }) => [name, value, file] as const))(
    "says what the code does: %s is %d in %s",
    (name, value, file) => {
      const other: Record<string, string> = { "core/stack/udp/flows.ts": "core/udp/config.ts" };
      const text = readFileSync(join(ROOT, other[file] ?? file), "utf8");
      expect(valuesOf(text, name)).toContain(value);
    },
  );

  test("names files that exist", () => {
    const files = rows.flatMap(filesOf);
    expect(files.length).toBeGreaterThan(40);
    expect(files.filter((file) => !existsSync(join(ROOT, file)))).toEqual([]);
  });

  // The page lists every limit that is shared among sources, and every option for a number of
  // connections, flows, queries, handshakes, streams or targets.
  test("has every shared limit", () => {
    const listed = new Set(rows.flatMap(filesOf));
    const isLimit =
      /new (SharedLimit|Sources|HalfOpenSources|FairTurns|ClientRotation)\(|\bmax(Connections|Flows|Queries|Handshakes|ConcurrentStreams|Targets|TimeWait|Neighbors)\b.*\.default\(/;
    // The mechanism itself; the class behind the half-open connections; the one user of FairTurns.
    const others = [
      "plugins/shared/shared_limit.ts",
      "adapters/plugins/tls/runtime/socket_pair.ts",
    ];
    const missing = filePaths(["core", "plugins", "adapters"], ".ts")
      .filter((path) => isLimit.test(readFileSync(join(ROOT, path), "utf8")))
      .filter((path) => !listed.has(path) && !others.includes(path));
    expect(missing).toEqual([]);
  });
});
