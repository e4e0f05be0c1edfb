/**
 * Node.js, for tests of the library there.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import { join } from "node:path";
import { ROOT } from "./source_files.ts";

/** Commands for Node.js: from npm, then the one in the PATH. */
const CANDIDATES = [
  join(ROOT, "tests/packages/node_modules/node-26-linux-x64/bin/node"),
  "node",
];

/** A Node.js with foreign functions (26.6 or later); `undefined` if there is none. */
export function nodeWithFfi(): string | undefined {
  return CANDIDATES.find((path) =>
    spawnSync(path, ["--eval", 'require("node:ffi").getCurrentEventLoop()'], { timeout: 10_000 })
      .status === 0
  );
}
