import { expect } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { Program } from "../../../support/program.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { ROOT } from "../../../support/source_files.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const page = readFileSync(join(ROOT, "docs/operations.md"), "utf8");

// systemd knows every line, and rates the unit's exposure at most 3 of 10.
testRequiring(
  ["program:systemd-analyze"],
  "the unit of docs/operations.md is valid and exposes little",
  async () => {
    using folder = new TemporaryFolder();
    const [, unit = ""] = /```ini\n([^]*?)```/.exec(page) ?? [];
    const path = folder.write(
      "berth.service",
      unit.replaceAll("/usr/local/bin/bun", process.execPath),
    );
    const analyze = async (...args: readonly string[]) =>
      await new Program(["systemd-analyze", "--no-pager", ...args, path], folder.path).ended;
    const { log, exit } = await analyze("verify", "--man=no");
    expect([log, exit]).toEqual(["", 0]);
    expect((await analyze("security", "--offline=true", "--threshold=30")).exit).toBe(0);
    expect(page).toMatch(/rates the unit\s2\.3/);
  },
);
