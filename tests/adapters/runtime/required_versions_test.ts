import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { describe, expect, test } from "bun:test";
import { REQUIRED_VERSIONS, versionFault } from "../../../adapters/runtime/required_versions.ts";
import { ROOT } from "../../support/source_files.ts";

describe("versionFault", () => {
  // Both runtimes report a version of Node too.
  test.each([
    [{ deno: "2.9.0", node: "24.0.0" }],
    [{ deno: "2.10.1", node: "24.0.0" }],
    [{ deno: "3.0.0", node: "24.0.0" }],
    [{ bun: "1.4.5", node: "24.0.0" }],
    [{ bun: "1.10.0", node: "24.0.0" }],
  ])("accepts %j", (versions) => {
    expect(versionFault(versions)).toBeUndefined();
  });

  // The message names the version and what to use instead.
  test.each([
    [{ deno: "2.8.3", node: "24.0.0" }, "Deno 2.8.3 is too old: use Deno 2.9 or Bun 1.4 or later"],
    [{ deno: "1.46.0" }, "Deno 1.46.0 is too old"],
    [{ bun: "1.3.9", node: "24.0.0" }, "Bun 1.3.9 is too old"],
    [{ node: "24.1.0" }, "Node.js 24.1.0 cannot run the service: use Deno 2.9 or Bun 1.4"],
  ])("refuses %j", (versions, message) => {
    expect(versionFault(versions as Record<string, string>)).toContain(`berth: ${message}`);
  });

  // Otherwise these tests would not run.
  test("accepts the runtime of this test", () => {
    expect(versionFault(process.versions)).toBeUndefined();
  });

  // Readers look for the versions on that page.
  test("requires the versions in docs/versions.md", () => {
    const page = readFileSync(join(ROOT, "docs/versions.md"), "utf8");
    const [, deno] = /^\| Deno +\| ([\d.]+)/m.exec(page)!;
    const [, bun] = /^\| Bun +\| ([\d.]+)/m.exec(page)!;
    expect({ deno, bun }).toEqual(REQUIRED_VERSIONS);
  });
});
