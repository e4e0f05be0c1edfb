/**
 * C programs for measurements for which a runtime's own clients and servers are too slow.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "../support/source_files.ts";
import type { TemporaryFolder } from "../support/temporary_folder.ts";

/** Compiles a program of `tests/bench/programs` into a folder; requires `cc`. Returns its path. */
export function compile(folder: TemporaryFolder, name: string): string {
  const program = folder.file(name);
  execFileSync("cc", ["-O2", "-o", program, join(ROOT, `tests/bench/programs/${name}.c`)]);
  return program;
}
