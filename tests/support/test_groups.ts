/**
 * Groups of test files that run in one process.
 *
 * @module
 */
import { resolve } from "node:path";
import { pathToFileURL } from "node:url";
import { ROOT } from "./source_files.ts";

/** Divides files into groups of at most `size`, as equal as possible, in their order. */
export function groupsOf(files: readonly string[], size: number): string[][] {
  const count = Math.ceil(files.length / size);
  const begin = (group: number) => Math.floor(group * files.length / count);
  return Array.from({ length: count }, (_, i) => files.slice(begin(i), begin(i + 1)));
}

/** A module for Deno that loads the files, paths from the root. */
export function groupModule(files: readonly string[]): string {
  const quotedUrl = (path: string) => JSON.stringify(pathToFileURL(resolve(ROOT, path)).href);
  return [
    `import { loadTestFile } from ${quotedUrl("tests/support/test_file_scope.ts")};`,
    ...files.map((file) =>
      `await loadTestFile(${JSON.stringify(file)}, () => import(${quotedUrl(file)}));`
    ),
    "",
  ].join("\n");
}
