import { afterEach, describe, expect } from "bun:test";
import { existsSync, readFileSync } from "node:fs";
import process from "node:process";
import type { HostConnection } from "../../../../adapters/host/connection.ts";
import { dialHost } from "../../../../adapters/host/dial.ts";
import { connectMessages } from "../../../../adapters/host/native/message_listener.ts";
import { nativeSockets } from "../../../../adapters/host/native/sockets.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { endRuns, type Run, start } from "../../../support/service_run.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";
import { until } from "../../../support/until.ts";
import { say } from "../reload/reload_support.ts";

let folder: TemporaryFolder;
const connections: HostConnection[] = [];
const pids: number[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.abort();
  for (const pid of pids.splice(0)) if (isRunning(pid)) process.kill(pid, "SIGKILL");
  await endRuns();
  folder[Symbol.dispose]();
});

/** A service on the memory link with an admin API, whose published port leads to `plugin`. */
function startService(plugin: string, more: object = {}, ...flags: readonly string[]): Run {
  return start("--config", configure(plugin, more), "--state", folder.file("state"), ...flags);
}

function configure(plugin: string, more: object = {}): string {
  const admin = `unix:${folder.file("admin")}`;
  const config = { listen: { "7": plugin }, publish: ["0=10.7.0.2:7"], admin, ...more };
  return folder.write("berth.json", JSON.stringify(config));
}

async function connectedTo(run: Run): Promise<HostConnection> {
  const connection = await dialHost(await run.published());
  connections.push(connection);
  return connection;
}

/** Runs `berth upgrade`; resolves with the process that serves, or with the message. */
async function upgrade(...flags: readonly string[]): Promise<number | string> {
  const command = start("upgrade", "--json", "--config", folder.file("berth.json"), ...flags);
  if (await command.exit !== 0) return command.log;
  const { pid } = JSON.parse(command.out);
  pids.push(pid);
  return pid;
}

function isRunning(pid: number): boolean {
  try {
    process.kill(pid, 0);
    return true;
  } catch {
    return false;
  }
}

function upgradeSockets(): string[] {
  const names = readFileSync("/proc/net/unix", "utf8").matchAll(/@(berth-upgrade-\S+)/g);
  return [...names].map(([, name]) => name!);
}

describe("an upgrade on the memory link", () => {
  // The port of the host stays open: the open connection has the old plugin, a new one the new plugin. The new
  // process keeps its configuration and has the admin API.
  testRequiring(["native-sockets"], "moves published ports", async () => {
    folder = new TemporaryFolder();
    const run = startService("echo");
    const before = await connectedTo(run);
    expect(await say(before, "one")).toBe("one");
    configure("daytime");
    const pid = await upgrade();
    expect(typeof pid).toBe("number");
    expect(await say(before, "two")).toBe("two");
    const after = await connectedTo(run);
    const answer = new Uint8Array(100);
    await after.read(answer);
    expect(new TextDecoder().decode(answer)).toMatch(/\d{4}/);
    const { text } = JSON.parse(readFileSync(`${folder.file("state")}/last-good.json`, "utf8"));
    expect(text).toContain("daytime");
    const again = await upgrade();
    expect(again).not.toBe(pid);
    // The first two processes end with their connections.
    for (const connection of connections) connection.abort();
    await until(() => !isRunning(pid as number));
    process.kill(again as number, "SIGTERM");
    await run.exit;
    expect(existsSync(folder.file("admin"))).toBe(false);
  }, 40_000);

  // Every process of the host sees the name of the socket, and may connect before the new process does.
  testRequiring(["native-sockets"], "ignores other processes that connect", async () => {
    folder = new TemporaryFolder();
    const run = startService("echo");
    await run.published();
    const upgrading = upgrade();
    await until(() => upgradeSockets().length > 0);
    const { host } = nativeSockets()!;
    const intruders = upgradeSockets().map((name) => connectMessages(nativeSockets()!, name));
    expect(typeof await upgrading).toBe("number");
    await run.printed(/ignored a process that is not the new one pid=\d+/, "log");
    for (const each of intruders) host.libc.close(each);
  }, 30_000);

  // Connections of the old process have upgradeGraceMs, and then graceMs.
  testRequiring(["native-sockets"], "ends old connections after upgradeGraceMs", async () => {
    folder = new TemporaryFolder();
    const run = startService("echo", { upgradeGraceMs: 1, graceMs: 1 });
    const before = await connectedTo(run);
    await say(before, "one");
    await upgrade();
    expect(await before.read(new Uint8Array(1)).catch(() => "reset")).toBe("reset");
    await run.printed(/the grace time of the upgrade is over upgradeGraceMs=1/, "log");
    expect(await say(await connectedTo(run), "two")).toBe("two");
  }, 30_000);

  // The new configuration publishes nothing: the old process has a connection, but the port refuses.
  testRequiring(["native-sockets"], "closes ports that are published no longer", async () => {
    folder = new TemporaryFolder();
    const run = startService("echo");
    const before = await connectedTo(run);
    await say(before, "one");
    configure("echo", { publish: ["udp/0=10.7.0.2:7"] });
    expect(typeof await upgrade()).toBe("number");
    const refused = await connectedTo(run).catch((error) => String(error));
    expect(refused).toMatch(/REFUSED/);
    expect(await say(before, "two")).toBe("two");
  }, 30_000);

  // SIGTERM to the process that serves also ends, after graceMs, the previous one, which has an open connection.
  testRequiring(["native-sockets"], "ends with the service", async () => {
    folder = new TemporaryFolder();
    const run = startService("echo", { graceMs: 1 });
    const before = await connectedTo(run);
    await say(before, "one");
    process.kill(await upgrade() as number, "SIGTERM");
    expect(await run.exit).toBe(0);
    expect(await before.read(new Uint8Array(1)).catch(() => "reset")).toBe("reset");
  }, 30_000);

  // The token and the port stay the same, and the answers come from the new process.
  testRequiring(["native-sockets"], "moves an admin API on TCP", async () => {
    folder = new TemporaryFolder();
    const port = 21_000 + process.pid % 900;
    const admin = { listen: `127.0.0.1:${port}`, token: "a-long-token-of-a-test" };
    const run = startService("echo", { admin });
    await run.published();
    const first = await upgrade();
    const second = await upgrade();
    expect([typeof first, typeof second]).toEqual(["number", "number"]);
    expect(second).not.toBe(first);
  }, 40_000);
});

describe("an upgrade that is not possible", () => {
  // A plugin that ends the process while it is loaded: its exit code is reported.
  testRequiring(["native-sockets"], "says why", async () => {
    folder = new TemporaryFolder();
    const run = startService("echo");
    await run.published();
    folder.write("ends.ts", 'import process from "node:process"; process.exit(3);');
    configure("./ends.ts");
    expect(await upgrade()).toContain("it ended with exit code 3");
    configure("./missing.ts");
    expect(await upgrade()).toContain("there is no file");
    expect(await upgrade("--limit-ms", "0")).toContain("limitMs: expected milliseconds");
    expect(await say(await connectedTo(run), "one")).toBe("one");
  }, 40_000);

  testRequiring(["native-sockets"], "because of a recording says so", async () => {
    folder = new TemporaryFolder();
    const run = startService("echo", { capture: folder.file("a.pcapng") });
    await run.published();
    expect(await upgrade()).toContain("capture: two processes cannot write one recording");
  }, 20_000);
});
