import { chmodSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { Program } from "../../support/program.ts";
import { ROOT } from "../../support/source_files.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";

/** Both are shell scripts and JavaScript: a formatter must not touch the first lines. */
const LAUNCHERS = { berth: "berth.js", "create-berth": "create.js" };

describe("the launchers of the npm packages", () => {
  test.each(Object.entries(LAUNCHERS))("%s says what it needs", async (name, file) => {
    using folder = new TemporaryFolder();
    const { exit, out, log } = await launch(file, folder.path);
    expect([exit, out]).toEqual([1, ""]);
    expect(log).toBe(
      `${name}: needs Deno or Bun, and neither is on the PATH: npm install -g bun\n`,
    );
  });

  test.each(Object.entries(LAUNCHERS))("%s starts Bun with its arguments", async (_name, file) => {
    using folder = new TemporaryFolder();
    chmodSync(folder.write("bun", '#!/bin/sh\necho "$@"\n'), 0o755);
    const { exit, out, log } = await launch(file, folder.path);
    expect([exit, log]).toEqual([0, ""]);
    expect(out).toBe(`${join(ROOT, "release/npm", file)} plugin two words\n`);
  });
});

/** Runs a launcher where `path` is all that is on the PATH. */
async function launch(file: string, path: string) {
  const script = join(ROOT, "release/npm", file);
  const command = ["/usr/bin/env", `PATH=${path}`, "/bin/sh", script, "plugin", "two words"];
  return await new Program(command, path).ended;
}
