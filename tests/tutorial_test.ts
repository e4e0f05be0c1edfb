import { delimiter, dirname } from "node:path";
import { mkdirSync } from "node:fs";
import process from "node:process";
import { describe, test } from "bun:test";
import { TARBALL, testRequiring } from "./support/requirements.ts";
import { findRuntime } from "./support/runtimes.ts";
import { TemporaryFolder } from "./support/temporary_folder.ts";
import { followTutorial, writeInstallers } from "./support/tutorial.ts";

const runtime = findRuntime(process.versions["bun"] === undefined ? "Deno" : "Bun");

async function follow(source: "checkout" | "tarball"): Promise<void> {
  using folder = new TemporaryFolder();
  const programs = folder.file("bin");
  mkdirSync(programs);
  writeInstallers(programs, runtime, TARBALL);
  mkdirSync(folder.file("work"));
  await followTutorial({
    runtime: runtime.name,
    source,
    folder: folder.file("work"),
    tarballs: dirname(TARBALL),
    prefix: ["env", `PATH=${programs}${delimiter}${process.env["PATH"]}`],
  });
}

describe("docs/tutorial.md", () => {
  // What a newcomer writes and runs, in the order of the page.
  test("leads from a checkout to a tested plugin in a service", () => follow("checkout"), 300_000);

  // The same where nothing is but the package; `deno task packages` installs it with the real installers.
  testRequiring(["tarball"], "leads there from the tarball", () => follow("tarball"), 300_000);
});
