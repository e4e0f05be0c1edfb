import { afterEach, describe, expect } from "bun:test";
import { spawnSync } from "node:child_process";
import { readFileSync } from "node:fs";
import process from "node:process";
import { dialHost } from "../../../../adapters/host/dial.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { endRuns, RUN, Run } from "../../../support/service_run.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";
import { say } from "./reload_support.ts";

let folder: TemporaryFolder;
afterEach(async () => {
  await endRuns();
  folder[Symbol.dispose]();
});

/** Runs the service with a state folder on a disk of 64 KiB. */
function serviceOnSmallDisk(config: string): { run: Run; state: string } {
  const state = folder.file("state");
  const script = `mkdir -p ${state} && mount -t tmpfs -o size=64k none ${state} && exec "$@"`;
  const run = new Run("unshare", [
    ...["--mount", "--propagation", "private", "sh", "-c", script, "sh"],
    ...[process.execPath, ...RUN, "--state", state, "--config", config],
  ]);
  return { run, state };
}

describe("a reload while the disk of --state is full", () => {
  // The old configuration serves, and the last good one is unchanged. When there is room again, the next reload
  // works.
  testRequiring(["root"], "changes nothing and says why", async () => {
    folder = new TemporaryFolder();
    const write = (plugin: string) =>
      folder.write(
        "berth.json",
        JSON.stringify({ listen: { "7": plugin }, publish: ["0=10.7.0.2:7"] }),
      );
    const { run, state } = serviceOnSmallDisk(write("echo"));
    const port = await run.published();
    // The folder as the process sees it.
    const seen = `/proc/${run.pid}/root${state}`;

    const before = readFileSync(`${seen}/last-good.json`, "utf8");
    spawnSync("dd", ["if=/dev/zero", `of=${seen}/full`, "bs=4096", "count=100"]);
    write("discard");
    run.kill("SIGHUP");
    const [line] = await run.printed(/ error cannot reload, .*\n/, "log");
    expect(line).toContain(`--state ${state}: cannot keep the configuration: `);
    expect(line).toContain("ENOSPC");
    expect(readFileSync(`${seen}/last-good.json`, "utf8")).toBe(before);
    const connection = await dialHost(port);
    expect(await say(connection, "echo still serves")).toBe("echo still serves");
    connection.abort();
    spawnSync("rm", [`${seen}/full`]);
    run.kill("SIGHUP");
    await run.printed(/ info {2}reloaded reason=SIGHUP changed=7/, "log");
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
  }, 60_000);
});
