import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { endRuns, RUN, Run } from "../../../support/service_run.ts";
import { ROOT } from "../../../support/source_files.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

const IS_DENO = process.versions.bun === undefined;

let folder: TemporaryFolder;
afterEach(async () => {
  await endRuns();
  folder[Symbol.dispose]();
});

/** The flags of Deno in docs/operations.md. With `readsProgram` all files may be read, not only the test's folder. */
function documentedFlags(readsProgram: boolean): string[] {
  const text = readFileSync(join(ROOT, "docs/operations.md"), "utf8");
  const [, flags = ""] = /^deno run ([^`]*?)\s+main\.ts --config/m.exec(text) ?? [];
  return flags.split(/[\s\\]+/).filter((flag) => flag !== "").map((flag) =>
    flag === "--allow-read" && !readsProgram
      ? `--allow-read=${folder.path}`
      : flag.replace(/^(--allow-write)=.*/, (_, name) => `${name}=${folder.path}`)
  );
}

function service(readsProgram = true): Run {
  folder = new TemporaryFolder();
  folder.write("plugin.ts", "export default () => {};\n");
  const config = { listen: { "7": "./plugin.ts" }, publish: ["0=10.7.0.2:7"] };
  const path = folder.write("berth.json", JSON.stringify(config));
  const runtime = IS_DENO ? ["run", ...documentedFlags(readsProgram), "main.ts"] : RUN;
  return new Run(process.execPath, [...runtime, "--config", path, "--state", folder.file("state")]);
}

describe("new code of a plugin", () => {
  // In the service's own thread this would end the service.
  test("is tried in a thread with the permissions of the page Operations", async () => {
    const run = service();
    await run.published();
    expect(run.log).not.toContain("would block the service");
    const code =
      'import process from "node:process";\nprocess.exit(3);\nexport default () => {};\n';
    folder.write("plugin.ts", code);
    run.kill("SIGHUP");
    await run.printed(/ error cannot reload, .*its code, .*ends the process/, "log");
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
  }, 60_000);

  // The start says so, once. Bun has no permissions.
  if (!IS_DENO) return;
  test("is not tried if the thread may not read the program", async () => {
    const run = service(false);
    await run.published();
    expect(run.log.match(/ warn .*would block the service.*--allow-read does not/g)?.length).toBe(
      1,
    );
  }, 60_000);
});
