import { afterEach, describe, expect, test } from "bun:test";
import { execFile } from "node:child_process";
import { statSync } from "node:fs";
import process from "node:process";
import { promisify } from "node:util";
import type { HostConnection } from "../../../../../adapters/host/connection.ts";
import { dialHost } from "../../../../../adapters/host/dial.ts";
import { testRequiring } from "../../../../support/requirements.ts";
import { endRuns, RUN, Run } from "../../../../support/service_run.ts";
import { TemporaryFolder } from "../../../../support/temporary_folder.ts";
import { say } from "../../reload/reload_support.ts";

let folder: TemporaryFolder;
const connections: HostConnection[] = [];
afterEach(async () => {
  for (const connection of connections.splice(0)) connection.abort();
  await endRuns();
  folder[Symbol.dispose]();
});

/** An echo service with an admin API, and a client of it. */
async function echoService() {
  folder = new TemporaryFolder();
  const admin = ["--admin", `unix:${folder.file("s")}`];
  const run = new Run(process.execPath, [
    ...[...RUN, "--listen", "7=echo", "--publish", "0=10.7.0.2:7"],
    ...admin,
  ]);
  const published = await run.published();
  const connect = async () => {
    const client = await dialHost(published);
    connections.push(client);
    return client;
  };
  const tool = (...args: string[]) => new Run(process.execPath, [...RUN, ...args, ...admin]);
  const client = await connect();
  expect(await say(client, "ahoy")).toBe("ahoy");
  return { client, connect, tool };
}

async function tshark(file: string, ...args: string[]): Promise<string> {
  const { stdout } = await promisify(execFile)("tshark", ["-r", file, ...args]);
  return stdout;
}

/** Talks until a capture has written something. */
async function recorded(client: HostConnection, file: string): Promise<void> {
  for (let size = 0; size === 0;) {
    await new Promise((resolve) => setTimeout(resolve, 50));
    await say(client, "x");
    size = statSync(file, { throwIfNoEntry: false })?.size ?? 0;
  }
}

async function recordedBy(
  client: HostConnection,
  tool: (...args: string[]) => Run,
  file: string,
): Promise<void> {
  const run = tool("capture", "-w", file);
  await recorded(client, file);
  run.kill("SIGINT");
  expect(await run.exit).toBe(0);
}

describe("berth capture", () => {
  // Interrupted as with Ctrl+C: the file is whole, and the service goes on.
  testRequiring(["program:tshark"], "records until it is interrupted", async () => {
    const { client, connect, tool } = await echoService();
    const file = folder.file("a.pcapng");
    const run = tool("capture", "tcp", "port", "7", "-w", file);
    await recorded(client, file);
    expect(await say(await connect(), "three")).toBe("three");
    run.kill("SIGINT");
    expect(await run.exit).toBe(0);
    const [, packets] = /^(\d+) packets captured, 0 dropped$/m.exec(run.log)!;
    const rows = (await tshark(file, "-T", "fields", "-e", "tcp.port", "-e", "tcp.payload"))
      .trimEnd().split("\n");
    expect(rows.length).toBe(Number(packets));
    expect(rows.join("\n")).toContain(new TextEncoder().encode("three").toHex());
    expect(await say(client, "four")).toBe("four");
  }, 30_000);

  // To a pipe, with a filter and a number of packets.
  testRequiring(["program:tshark"], "writes to stdout and ends after -c packets", async () => {
    const { client, connect, tool } = await echoService();
    const run = tool("capture", "-c", "3", "host 10.7.0.2 and not port 9");
    const end = run.exit;
    let isOver = false;
    void end.then(() => isOver = true);
    while (!isOver) {
      await new Promise((resolve) => setTimeout(resolve, 20));
      await say(client, "x");
    }
    expect(await end).toBe(0);
    expect(run.log).toContain("3 packets captured");
    await connect();
  }, 30_000);

  // A disk that is full: one line, and the service goes on.
  testRequiring(["program:tshark"], "says why it cannot write", async () => {
    const { client, tool } = await echoService();
    const [full, missing] = [
      tool("capture", "-w", "/dev/full"),
      tool("capture", "-w", folder.file("no/where")),
    ];
    expect([await full.exit, await missing.exit]).toEqual([1, 1]);
    expect(full.log).toMatch(/^berth: --write \/dev\/full: .*no space left on device/mi);
    expect(missing.log).toMatch(/^berth: --write \S+no\/where: .*no such file/mi);
    expect(await say(client, "five")).toBe("five");
  }, 30_000);

  // A killed reader frees its place: there is room for only 8 captures.
  test("ends in the service when its reader is killed", async () => {
    const { client, tool } = await echoService();
    for (let round = 0; round < 2; round++) {
      const runs = Array.from(
        { length: 5 },
        (_, i) => tool("capture", "-w", folder.file(`${round}-${i}`)),
      );
      for (const [i] of runs.entries()) await recorded(client, folder.file(`${round}-${i}`));
      for (const run of runs) await run.end();
    }
    await recordedBy(client, tool, folder.file("last"));
  }, 60_000);

  // The filter is checked before the first request to the service.
  test("refuses an invalid filter", async () => {
    const { tool } = await echoService();
    const run = tool("capture", "prot", "80", "-w", folder.file("b"));
    expect(await run.exit).toBe(2);
    expect(run.log).toContain('berth: capture: filter "prot 80": "prot" is unknown; expected');
    const [unknown, count] = [tool("capture", "-x"), tool("capture", "-c", "0")];
    expect([await unknown.exit, await count.exit]).toEqual([2, 2]);
    expect(unknown.log).toContain("usage: berth capture [FILTER] [-w FILE | -] [-c COUNT]");
    expect(count.log).toContain("--count 0: expected a whole number from 1");
  }, 30_000);
});

describe("berth ss", () => {
  test("lists connections as ss does", async () => {
    const { tool } = await echoService();
    const run = tool("ss", "-ti", "state", "established", "sport", ":7");
    expect(await run.exit).toBe(0);
    const [head, row, info] = run.out.split("\n");
    expect(head).toMatch(
      /^State +Recv-Q +Send-Q +Local Address:Port +Peer Address:Port +Waits for/,
    );
    expect(row).toMatch(/^ESTAB +0 +0 +10\.7\.0\.2:7 +127\.0\.0\.1:\d+ +peer +echo$/);
    expect(info).toMatch(/^\t rto:[\d.]+ rtt:[\d.]+\/[\d.]+ mss:\d+ cwnd:\d+ .*bytes_received:4 /);
    const none = tool("ss", "--json", "dport", "1");
    expect([await none.exit, none.out]).toEqual([0, "[]\n"]);
  }, 30_000);
});

describe("berth trace", () => {
  // Follows a live connection until it has ended.
  test("prints what happens inside a connection", async () => {
    const { client, tool } = await echoService();
    const run = tool("trace", "10.7.0.2:7-");
    await run.printed(/ESTABLISHED, /);
    expect(await say(client, "five")).toBe("five");
    await run.printed(/Flags \[P\.\], seq 5:9, ack 9, .*length 4\n/);
    client.abort();
    expect(await run.exit).toBe(0);
    expect(run.out).toMatch(/ESTABLISHED > CLOSED: CONNECTION_RESET\n$/);
  }, 30_000);

  test("prints the events as JSON, and refuses what is not one connection", async () => {
    const { connect, tool } = await echoService();
    const run = tool("trace", "10.7.0.2:7-", "--json");
    await run.printed(/"tcp:snapshot".*\n/);
    for (const line of run.out.trimEnd().split("\n")) JSON.parse(line);
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
    await say(await connect(), "x");
    const [many, none, without] = [tool("trace", "10.7"), tool("trace", "nobody"), tool("trace")];
    expect([await many.exit, await none.exit, await without.exit]).toEqual([2, 2, 2]);
    expect(many.log).toContain('trace: 2 connections have "10.7" in a field, such as');
    expect(none.log).toContain('trace: no connection has "nobody" in a field');
    expect(without.log).toContain("trace: expected one connection");
  }, 30_000);
});
