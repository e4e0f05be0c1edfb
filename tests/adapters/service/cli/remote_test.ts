import { afterEach, describe, expect, test } from "bun:test";
import { statSync } from "node:fs";
import type { HostConnection } from "../../../../adapters/host/connection.ts";
import { dialHost } from "../../../../adapters/host/dial.ts";
import { runRemote } from "../../../../adapters/service/cli/remote.ts";
import { codeOf } from "../../../support/conversation.ts";
import { endRuns, Run, start } from "../../../support/service_run.ts";
import { TemporaryFolder } from "../../../support/temporary_folder.ts";
import { say } from "../reload/reload_support.ts";

let folder: TemporaryFolder;
const connections: HostConnection[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.abort();
  await endRuns();
  folder[Symbol.dispose]();
});

/** Starts an echo service whose admin API is on a socket in the folder. */
async function echoService(): Promise<{ run: Run; config: string; client: HostConnection }> {
  folder = new TemporaryFolder();
  const config = write("echo");
  const run = start("--config", config);
  const client = await dialHost(await run.published());
  connections.push(client);
  expect(await say(client, "one")).toBe("one");
  return { run, config, client };
}

function write(plugin: string): string {
  return folder.write(
    "berth.json",
    JSON.stringify({
      listen: { "7": plugin },
      publish: ["0=10.7.0.2:7"],
      admin: "unix:berth.sock",
    }),
  );
}

describe("commands for a running service", () => {
  // Its connection is listed, goes on through a reload, and is reset through the API.
  test("show and change it over the socket", async () => {
    const { config, client } = await echoService();
    const ask = (command: string, ...args: string[]) =>
      runRemote(command, ["--config", config, ...args]);
    expect(statSync(folder.file("berth.sock")).mode & 0o777).toBe(0o600);
    expect(await ask("status")).toMatch(
      /^ready: yes\nconnections: 1\n\nLISTEN {2}PLUGINS\n7 +echo\n\nPUBLISHED +LEADS TO\n127\.0\.0\.1:\d+ +10\.7\.0\.2:7$/,
    );
    const listed = JSON.parse(await ask("connections", "--json"));
    expect(listed).toMatchObject({
      total: 1,
      connections: [{ local: "10.7.0.2:7", plugin: "echo", state: "ESTABLISHED", bytesIn: 3 }],
    });
    expect(await ask("connections", "--filter", "nobody")).toMatch(/^LOCAL +REMOTE .*RETX$/);
    write("discard");
    expect(await ask("reload")).toContain('"changed": [\n      "7"');
    expect(await say(client, "two")).toBe("two");
    write("discart");
    await expect(ask("reload")).rejects.toThrow("did you mean discard");
    expect(JSON.parse(await ask("config"))).toMatchObject({ listen: [{ plugin: "discard" }] });
  });

  // New connections are refused, the running one continues, and the service is no longer ready.
  test("drain it", async () => {
    const { run, config, client } = await echoService();
    const flags = ["--config", config];
    expect(await runRemote("drain", flags)).toBe("draining; open connections: 1");
    expect(await runRemote("status", flags)).toContain("ready: no, draining\nconnections: 1\n");
    expect(await codeOf(dialHost(await run.published()))).toBe("CONNECTION_REFUSED");
    expect(await say(client, "still")).toBe("still");
    client.abort();
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
  });

  // A service that cannot hand its connections over continues to serve.
  test("do not drain it if its connections cannot move", async () => {
    const { run, config, client } = await echoService();
    const drain = runRemote("drain", ["--config", config, "--to", "unix:/nowhere"]);
    await expect(drain).rejects.toThrow("moves: connections can move only with a shared secret");
    expect(await runRemote("status", ["--config", config])).toContain("ready: yes");
    client.abort();
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
  });

  // Some connections can move only where the peers find them.
  test("rebalance only between peers", async () => {
    const { run, config, client } = await echoService();
    const rebalance = (...flags: string[]) =>
      runRemote("rebalance", ["--config", config, ...flags]);
    for (
      const flags of [
        ["--to", "unix:/nowhere"],
        ["--count", "1"],
        ["--to", "unix:/nowhere", "--count", "1", "--share", "1"],
      ]
    ) {
      await expect(rebalance(...flags)).rejects.toThrow("rebalance: give the peer and how many");
    }
    await expect(rebalance("--to", "unix:/nowhere", "--count", "1")).rejects.toThrow(
      "peers: without peers all packets of the connections would go through this instance",
    );
    await expect(rebalance("--to", "unix:/nowhere", "--share", "2")).rejects.toThrow("share");
    client.abort();
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
  });

  // Each message says what to do.
  test("say what is missing", async () => {
    folder = new TemporaryFolder();
    await expect(runRemote("status", [])).rejects.toThrow("give the address of the admin API");
    await expect(runRemote("status", ["--admin", "127.0.0.1:1"])).rejects.toThrow(
      "BERTH_ADMIN_TOKEN",
    );
    await expect(runRemote("status", ["--admin", `unix:${folder.file("none")}`]))
      .rejects.toThrow("cannot reach the service at unix:");
    await expect(runRemote("drain", ["--sort", "x"])).rejects.toThrow("it has --admin, --config");
  });
});
