import { execFile } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { type Example, examplesInDocstrings, examplesInMarkdown } from "./support/examples.ts";
import { ENVIRONMENT } from "./support/program.ts";
import { namespaceCommand, testRequiring } from "./support/requirements.ts";
import {
  filePaths,
  importsOf,
  ROOT,
  type SourceFile,
  sourceFiles,
} from "./support/source_files.ts";

const runtime = process.versions["bun"] === undefined ? "deno" : "bun";
/** The folder of the examples, inside the tree so that `@berth/berth` resolves as it does for a user. */
const FOLDER = join(ROOT, "tests", ".examples", runtime);
const EXAMPLE_LIMIT_MS = 20_000;

beforeAll(() => void mkdirSync(FOLDER, { recursive: true }));
afterAll(() => rmSync(FOLDER, { recursive: true, force: true }));

describe("docstrings", () => {
  const entryPoints = ["mod.ts", ...filePaths(["exports"], ".ts")];
  const published = modulesBehind(
    entryPoints,
    sourceFiles("mod.ts", "exports", "core", "adapters", "plugins"),
  );

  // An example copied from an editor's hover is a working program.
  for (const file of published) {
    for (const example of examplesInDocstrings(file.comments)) runTest(file.path, example);
  }

  // A search that finds nothing would pass silently.
  test("the examples of every entry point and of what it exports are found", () => {
    const found = published.flatMap((file) => examplesInDocstrings(file.comments));
    expect(published.length).toBeGreaterThan(entryPoints.length);
    expect(found.length).toBeGreaterThan(entryPoints.length);
  });
});

// The first commands that a newcomer runs.
for (const path of filePaths(["README.md", "CONTRIBUTING.md", "docs"], ".md")) {
  for (const example of examplesInMarkdown(readFileSync(join(ROOT, path), "utf8"))) {
    runTest(path, example);
  }
}

/** Type checks cover the examples that do not run: `deno task check`. */
function runTest(path: string, { line, code, runs, needsTun }: Example): void {
  if (!runs) return;
  testRequiring(needsTun ? ["tun"] : [], `the example at ${path}:${line} runs`, async () => {
    const file = join(FOLDER, `${path.replaceAll(/\W/g, "_")}_${line}.ts`);
    writeFileSync(file, code);
    await runModule(file, needsTun ? namespaceCommand() : []);
  }, EXAMPLE_LIMIT_MS + 5_000);
}

/** Runs an example in a separate process, because it may listen, exit or fail. */
async function runModule(file: string, enter: readonly string[]): Promise<void> {
  const options = runtime === "deno" ? ["run", "-A", "--no-check"] : [];
  const [program, ...args] = [...enter, process.execPath, ...options, file];
  const settings = { cwd: ROOT, env: ENVIRONMENT, timeout: EXAMPLE_LIMIT_MS };
  await promisify(execFile)(program!, args, settings);
}

/** The files at `paths` and every file of `files` that they import, directly or not. */
function modulesBehind(paths: readonly string[], files: readonly SourceFile[]): SourceFile[] {
  const byPath = new Map(files.map((file) => [file.path, file]));
  const reached = new Set<SourceFile>();
  const visit = (file: SourceFile | undefined) => {
    if (file === undefined || reached.has(file)) return;
    reached.add(file);
    for (const { target } of importsOf(file)) visit(byPath.get(target));
  };
  for (const path of paths) visit(byPath.get(path));
  return [...reached];
}
