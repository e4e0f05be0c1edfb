import { existsSync, readFileSync, renameSync, symlinkSync } from "node:fs";
import { setTimeout } from "node:timers/promises";
import { afterEach, describe, expect, test } from "bun:test";
import { dialHost } from "../../../../adapters/host/dial.ts";
import { runRemote } from "../../../../adapters/service/cli/remote.ts";
import { endRuns, type Run, start } from "../../../support/service_run.ts";
import { ROOT } from "../../../support/source_files.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";

afterEach(endRuns);

const FAULTY = [
  ...["--listen", "7=./tests/adapters/service/fixtures/throws.ts"],
  ...["--publish", "127.0.0.1:0=10.7.0.2:7"],
];

/** A connection whose handler fails; resolves when the service has reset it. */
async function provoke(run: Run): Promise<void> {
  const connection = await dialHost(await run.published());
  await connection.write(new Uint8Array(1));
  await connection.read(new Uint8Array(1)).catch(() => {});
  connection.abort();
}

/** The text of a file, as soon as it matches. */
async function textOf(path: string, pattern: RegExp): Promise<string> {
  for (;;) {
    const text = existsSync(path) ? readFileSync(path, "utf8") : "";
    if (pattern.test(text)) return text;
    await setTimeout(5);
  }
}

describe("--log-file", () => {
  // A handler's error is an object with its stack at level error. After the file was renamed, SIGUSR1
  // and `reopen` each begin a new one; nothing goes to stderr.
  test("has the lines, and is reopened on request", async () => {
    using folder = new TemporaryFolder();
    const log = folder.file("log");
    const admin = `unix:${folder.file("admin")}`;
    const run = start(
      ...[...FAULTY, "--admin", admin],
      ...["--log-file", log, "--log-format", "json"],
    );
    await provoke(run);
    const text = await textOf(log, /handler failed.*\n/);
    const line = text.split("\n").find((each) => each.includes("handler failed"))!;
    const { level, error, stack, time } = JSON.parse(line) as Record<string, string>;
    expect([level, error]).toEqual(["error", "a fault of the plugin"]);
    expect(stack).toContain("throws.ts");
    expect(new Date(time!).getFullYear()).toBeGreaterThan(2020);
    renameSync(log, `${log}.old`);
    run.kill("SIGUSR1");
    await textOf(log, /the log file was reopened/);
    renameSync(log, `${log}.older`);
    expect(await runRemote("reopen", ["--admin", admin])).toBe("the log file was reopened");
    await textOf(log, /the log file was reopened/);
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
    expect(readFileSync(log, "utf8")).toContain('"signal":"SIGTERM"');
    expect(run.log.replace(/^Debugger .*\n/gm, "")).not.toContain("handler failed");
  });

  // Requests are logged in a separate file, whatever the log level, for programs that analyse it.
  test("has no lines of an access log that has a file of its own", async () => {
    using folder = new TemporaryFolder();
    const [log, access] = [folder.file("log"), folder.file("access")];
    const app = { plugin: `http:${ROOT}/tests/adapters/service/fixtures/app.ts` };
    const config = folder.write(
      "berth.json",
      JSON.stringify({
        listen: { 80: { ...app, options: { accessLog: "combined" } } },
        publish: ["127.0.0.1:0=10.7.0.2:80"],
        ...{ logFile: log, accessLogFile: access, logLevel: "error" },
      }),
    );
    const run = start("--config", config);
    const { hostname, port } = await run.published();
    const url = `http://${hostname}:${port}/a"b?c`;
    await (await fetch(url, { headers: { "User-Agent": "a test" } })).text();
    const text = await textOf(access, /\n/);
    expect(text).toMatch(
      /^127\.0\.0\.1 - - \[.*\] "GET \/a%22b\?c HTTP\/1\.1" \d+ \d+ "-" "a test"\n$/,
    );
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
    expect(readFileSync(log, "utf8")).toBe("");
  });

  // The service continues; stderr has one line about the full disk.
  test("may be on a full disk", async () => {
    using folder = new TemporaryFolder();
    symlinkSync("/dev/full", folder.file("log"));
    const run = start(...FAULTY, "--log-file", folder.file("log"));
    for (let i = 0; i < 3; i++) await provoke(run);
    await run.printed(/lines are being lost: /, "log");
    await provoke(run);
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
    expect(run.log.match(/lines are being lost/g)!.length).toBe(1);
  });

  // One message names the flag, the file and the reason.
  test("that cannot be opened ends the start", async () => {
    const run = start(...FAULTY, "--log-file", "/nowhere/at/all/log");
    expect(await run.exit).toBe(1);
    expect(run.log).toMatch(/^berth: --log-file \/nowhere\/at\/all\/log: .*\n$/);
  });
});
