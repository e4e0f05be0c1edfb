import { afterEach, describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import process from "node:process";
import type { HostConnection } from "../../../../adapters/host/connection.ts";
import { dialHost } from "../../../../adapters/host/dial.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { endRuns, RUN, Run, start } from "../../../support/service_run.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";
import { say } from "../reload/reload_support.ts";

let folder: TemporaryFolder;
const connections: HostConnection[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.abort();
  await endRuns();
  folder[Symbol.dispose]();
});

function write(listen: unknown): string {
  return folder.write("berth.json", JSON.stringify({ listen, publish: ["0=10.7.0.2:7"] }));
}

async function connectedTo(run: Run): Promise<HostConnection> {
  const connection = await dialHost(await run.published());
  connections.push(connection);
  return connection;
}

describe("SIGHUP", () => {
  // The connection continues with the old plugin; a faulty file changes nothing; SIGTERM still ends
  // the service.
  test("reloads the configuration", async () => {
    folder = new TemporaryFolder();
    const run = start("--config", write({ "7": "echo" }));
    const before = await connectedTo(run);
    expect(await say(before, "one")).toBe("one");
    write({ "7": "discard" });
    run.kill("SIGHUP");
    await run.printed(
      / info {2}reloaded reason=SIGHUP changed=7 running=1 oldConnections="continue until they end"/,
      "log",
    );
    write({ "7": "discart" });
    run.kill("SIGHUP");
    await run.printed(
      / error cannot reload, .* fault=".*berth\.json:1:16: .*did you mean discard/,
      "log",
    );
    expect(await say(before, "two")).toBe("two");
    before.abort();
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
  });

  // As when an xterm is closed, the terminal hangs up.
  testRequiring(["program:python3"], "ends the service when its terminal has closed", async () => {
    folder = new TemporaryFolder();
    const program = `
import os, pty, sys
pid, terminal = pty.fork()
if pid == 0: os.execvp(sys.argv[1], sys.argv[1:])
said = b""
while b"Ctrl+C" not in said: said += os.read(terminal, 4096)
os.close(terminal)
sys.exit(os.waitstatus_to_exitcode(os.waitpid(pid, 0)[1]))`;
    const run = new Run("python3", ["-c", program, process.execPath, ...RUN]);
    expect(await run.exit).toBe(0);
  });
});

describe("--watch", () => {
  test("reloads when the file has changed", async () => {
    folder = new TemporaryFolder();
    const run = start("--watch", "--config", write({ "7": "echo" }));
    await run.published();
    write({ "7": ["log", "echo"] });
    await run.printed(/ info {2}reloaded reason="a file has changed" changed=7 /, "log");
  });
});

describe("--watch of code", () => {
  // Not the plugin's module itself, but what it imports.
  test("reloads when an imported module has changed", async () => {
    folder = new TemporaryFolder();
    const imported = (text: string) =>
      folder.write("text.ts", `export const text: string = ${JSON.stringify(text)};\n`);
    imported("old");
    folder.write(
      "plugin.ts",
      `import { text } from "./text.ts";
export default async ({ socket }) => {
  for await (const _ of socket) await socket.write(new TextEncoder().encode(text));
};
`,
    );
    const run = start("--watch", "--config", write({ "7": "./plugin.ts" }));
    expect(await say(await connectedTo(run), "x")).toBe("old");
    imported("new");
    await run.printed(/ info {2}reloaded reason="a file has changed" changed=7 /, "log");
    expect(await say(await connectedTo(run), "x")).toBe("new");
  });
});

describe("--state", () => {
  // Started with a file that works, then with a faulty one: the first is used, and the log says why.
  test("starts with the last configuration that worked", async () => {
    folder = new TemporaryFolder();
    const state = folder.file("state");
    const flags = ["--state", state, "--config", write({ "7": "echo" })];
    const first = start(...flags);
    await first.published();
    first.kill("SIGTERM");
    await first.exit;
    const saved = JSON.parse(readFileSync(`${state}/last-good.json`, "utf8")) as { path: string };
    expect(saved.path).toBe(folder.file("berth.json"));
    write({ "7": "./missing.ts" });
    const second = start(...flags);
    expect(await say(await connectedTo(second), "works")).toBe("works");
    await second.printed(
      / error the last configuration that worked is used instead fault=".*there is no file/,
      "log",
    );
  });

  // Without --state a faulty file ends the service.
  test("is needed for that", async () => {
    folder = new TemporaryFolder();
    const run = start("--config", write({ "7": "./missing.ts" }));
    expect(await run.exit).toBe(2);
  });
});
