import { afterEach, describe, expect, test } from "bun:test";
import { existsSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import process from "node:process";
import { fileURLToPath } from "node:url";
import type { HostConnection } from "../../../../adapters/host/connection.ts";
import { dialHostDatagrams } from "../../../../adapters/host/datagrams.ts";
import { dialHost } from "../../../../adapters/host/dial.ts";
import type { HostPort } from "../../../../core/api/host_port.ts";
import { codeOf } from "../../../support/conversation.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { endRuns, RUN, Run, start } from "../../../support/service_run.ts";

const root = fileURLToPath(new URL("../../../..", import.meta.url));
const fixtures = "./tests/adapters/service/fixtures";
const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  await endRuns();
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** The same without the capability to configure networks. */
function startUnprivileged(...flags: string[]): Run {
  if (process.getuid?.() !== 0) return start(...flags);
  const drop = ["--bounding-set", "-net_admin", "--inh-caps", "-net_admin"];
  return new Run("setpriv", [...drop, process.execPath, ...RUN, ...flags]);
}

async function connected(address: HostPort): Promise<HostConnection> {
  const connection = await dialHost(address);
  cleanups.push(() => connection.abort());
  return connection;
}

/** Whether something listens on a port of 127.0.0.1. */
async function accepts(port: number): Promise<boolean> {
  try {
    (await dialHost({ hostname: "127.0.0.1", port })).abort();
    return true;
  } catch {
    return false;
  }
}

async function say(connection: HostConnection, text: string): Promise<string> {
  await connection.write(new TextEncoder().encode(text));
  return await hear(connection);
}

async function hear(connection: HostConnection): Promise<string> {
  const chunk = new Uint8Array(1000);
  const size = await connection.read(chunk);
  return size === null ? "FIN" : new TextDecoder().decode(chunk.subarray(0, size));
}

function configFile(config: unknown): string {
  const folder = mkdtempSync(join(tmpdir(), "berth-"));
  cleanups.push(() => rmSync(folder, { recursive: true }));
  const path = join(folder, "berth.json");
  writeFileSync(path, typeof config === "string" ? config : JSON.stringify(config));
  return path;
}

const echoService = ["--listen", "7=echo", "--publish", "0=10.7.0.2:7"];

describe("the command", () => {
  // Text on stdout, nothing else, success.
  test("prints its help and its version", async () => {
    const help = start("--help");
    expect(await help.exit).toBe(0);
    expect(help.out).toContain("--listen WHERE=PLUGIN");
    const version = start("--version");
    expect(await version.exit).toBe(0);
    expect(version.out).toMatch(/^berth \d+\.\d+\.\d+\n$/);
    expect(help.log + version.log).toBe("");
  });

  // One message each on stderr that says what to do: no stack trace, no half-started service.
  test.each([
    [["--foo"], 2, "Unknown option '--foo'; --help lists the flags"],
    [["--config", "gone.json"], 2, "--config gone.json: there is no such file"],
    [
      ["--listen", "80=http:./gone.ts", "--publish", "0=10.7.0.2:80"],
      2,
      "--listen 80: there is no file ",
    ],
    [
      ["--listen", `80=${fixtures}/broken.ts`, "--publish", "0=10.7.0.2:80"],
      2,
      "--listen 80: cannot load ",
    ],
    [["--listen", "*=echo"], 2, "the host cannot reach *: publish single ports with --publish"],
    [
      ["--listen", "7=echo", "--listen", `udp/9=${fixtures}/handler.ts`],
      2,
      `--listen udp/9: Plugin ${fixtures}/handler.ts has no flow: it cannot serve a udp/ listen address`,
    ],
    [["--publish", "0=10.9.9.9:80"], 2, "--publish: 10.9.9.9:80 is not on the memory link"],
    [["--publish", "192.0.2.1:0=10.7.0.2:80"], 1, "Cannot publish 192.0.2.1:0: "],
  ])("ends with a message for %j", async (args: string[], code: number, message: string) => {
    const run = start(...args);
    expect(await run.exit).toBe(code);
    expect(run.log).toContain(`berth: ${message}`);
    expect(run.log.trimEnd().split("\n").length).toBe(1);
    expect(run.log).not.toMatch(/^ {4}at /m);
    expect(run.out).toBe("");
  });

  // Without the privilege to configure networks, the message says what helps.
  testRequiring(
    ["program:setpriv"],
    "ends with a message if a privilege is missing",
    async () => {
      const run = startUnprivileged("--tun", "berth0", "--address", "10.7.0.2/24");
      expect(await run.exit).toBe(1);
      expect(run.log).toMatch(/^berth: .*(NET_ADMIN|\/dev\/net\/tun).*\n$/);
      expect(run.out).toBe("");
    },
  );

  // Two errors in a file are two lines.
  test("reports every error of a configuration", async () => {
    const path = configFile({ mtu: 1, listen: { "7": 7 } });
    const run = start("--config", path);
    expect(await run.exit).toBe(2);
    expect(run.log).toContain(`berth: ${path}:1:8: mtu: expected a whole number of bytes`);
    expect(run.log).toContain(`berth: ${path}:1:24: listen.7: expected "PLUGIN" or`);
    expect(run.log).not.toMatch(/^ {4}at /m);
  });
});

describe("check", () => {
  // Everything is checked, and nothing is opened: neither the port nor the capture file.
  test("accepts a valid configuration", async () => {
    const path = configFile({
      capture: "out.pcapng",
      listen: { "7": ["log", "echo"], "udp/7": "echo", "9": `${root}/${fixtures}/handler.ts` },
      publish: ["18007=10.7.0.2:7"],
    });
    const run = start("check", path);
    expect(await run.exit).toBe(0);
    expect(run.out).toBe("the configuration is valid\n");
    expect(run.log).toBe("");
    expect(existsSync(join(dirname(path), "out.pcapng"))).toBe(false);
  });

  // The message has faults of the host like any other fault.
  test("finds a folder that is not there", async () => {
    const path = configFile({ listen: { "7": "echo" }, logFile: "gone/berth.log" });
    const run = start("check", path);
    expect(await run.exit).toBe(2);
    expect(run.log).toBe(
      `berth: --log-file ${join(dirname(path), "gone/berth.log")}: ` +
        `there is no folder ${join(dirname(path), "gone")}: create it\n`,
    );
  });

  // Conditions that the service would log at its start before serving as usual.
  test("logs the warnings of the start", async () => {
    const run = start("check", configFile({ listen: { "7": "echo" }, publish: ["0=10.7.0.2:8"] }));
    expect(await run.exit).toBe(0);
    expect(run.log).toMatch(
      / warn {2}"?no plugin listens on the target of --publish.*to=10\.7\.0\.2:8/,
    );
  });

  // All plugins that cannot be loaded, with their places in the file.
  test("names every plugin that cannot be loaded", async () => {
    const listen = { "7": "ehco", "8": "./gone.ts", "9": "echo", "80": "files" };
    const path = configFile(JSON.stringify({ listen }, null, 2));
    const run = start("check", path);
    expect(await run.exit).toBe(2);
    expect(run.log.trimEnd().split("\n")).toEqual([
      `berth: ${path}:3:10: listen.7: there is no plugin ehco; did you mean echo? A module is named by its path: ./ehco`,
      `berth: ${path}:4:10: listen.8: there is no file ${join(dirname(path), "gone.ts")}`,
      `berth: ${path}:6:11: listen.80: files needs a folder, such as files:./public`,
    ]);
    expect(run.out).toBe("");
  });

  // Combinations of settings that are invalid.
  test.each([
    [{ workers: 2 }, "--workers 2 needs a device"],
    [{ publish: ["0=10.9.9.9:80"] }, "--publish: 10.9.9.9:80 is not on the memory link"],
    [{ mtu: 1000 }, "--mtu: expected at least 1280 for the IPv6 address fd07::2/64"],
    [
      { listen: { "udp/7": `${root}/${fixtures}/handler.ts` }, publish: ["udp/0=10.7.0.2:7"] },
      "has no flow: it cannot serve a udp/ listen address",
    ],
  ])("refuses %j", async (config: unknown, message: string) => {
    const run = start("check", configFile(config));
    expect(await run.exit).toBe(2);
    expect(run.log).toContain(message);
    expect(run.log.trimEnd().split("\n").length).toBe(1);
  });
});

describe("the service", () => {
  // No flag: a URL for a browser, whose page knows its own connection.
  test("serves the demo without flags", async () => {
    const run = start();
    const [, url] = await run.printed(/open (http:\S+)[\s\S]*Ctrl\+C/);
    const page = await (await fetch(url!)).text();
    expect(page).toContain("A TCP/IP stack in TypeScript");
    const { places } = await (await fetch(new URL("/about", url))).json();
    expect(places).toEqual([
      { where: "80", plugin: "demo", access: url },
      { where: "7", plugin: "echo", access: expect.stringMatching(/^nc 127\.0\.0\.1 \d+$/) },
    ]);
    const facts = await (await fetch(new URL("/connection", url))).json();
    expect(facts).toMatchObject({ state: "ESTABLISHED", local: "10.7.0.2 port 80" });
    const echoed = await fetch(new URL("/echo", url), { method: "POST", body: "ahoy" });
    expect(await echoed.text()).toBe("ahoy");
    run.kill("SIGINT");
    expect(await run.exit).toBe(0);
  });

  // One line: peer, bytes, duration, and how it ended.
  test("logs one line for a connection", async () => {
    const run = start(...echoService);
    const client = await connected(await run.published());
    expect(await say(client, "hello")).toBe("hello");
    await client.closeWrite();
    expect(await hear(client)).toBe("FIN");
    const [line] = await run.printed(/.*info .*\n/, "log");
    expect(line).toMatch(
      /Z info {2}connection port=7 plugin=echo remote=127\.0\.0\.1:\d+ in=5 out=5 ms=\d+ end=closed\n/,
    );
  });

  // A plugin might open the port by itself, so it is still published.
  test("warns of published ports that nothing serves", async () => {
    const run = start(
      ...["--listen", "7=echo", "--listen", "udp/9=echo", "--listen", "8000-8009=echo"],
      ...["7", "8", "8005", "9"].flatMap((port) => ["--publish", `0=10.7.0.2:${port}`]),
    );
    await run.published();
    const warnings = run.log.split("\n").filter((line) => line.includes(" warn "));
    expect(warnings.map((line) => line.replace(/^.* warn +/, ""))).toEqual([
      'no plugin listens on the target of --publish to=10.7.0.2:8 hint="--listen 8=PLUGIN"',
      'no plugin listens on the target of --publish to=10.7.0.2:9 hint="--listen 9=PLUGIN"',
    ]);
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
  });

  // The same for the datagrams of one peer.
  test("logs one line for a flow", async () => {
    const run = start("--listen", "udp/7=echo", "--publish", "udp/0=10.7.0.2:7");
    const client = await dialHostDatagrams(await run.published());
    cleanups.push(() => client.close());
    await client.send(new TextEncoder().encode("hello"));
    expect(new TextDecoder().decode((await client.receive())!)).toBe("hello");
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
    expect(run.log).toMatch(
      /Z info {2}flow port=7 plugin=echo remote=127\.0\.0\.1:\d+ in=5 out=5 datagramsIn=1 datagramsOut=1 ms=\d+ end=closed\n/,
    );
  });

  // Port 8 of the stack is closed.
  test("resets a published connection that the stack refuses", async () => {
    const run = start("--listen", "7=echo", "--publish", "0=10.7.0.2:8");
    const client = await connected(await run.published());
    expect(await codeOf(hear(client))).toBe("CONNECTION_RESET");
  });

  // Its connection is aborted and logged with the port; others are not affected.
  test("survives a plugin that throws", async () => {
    const flags = ["--listen", `9000=${fixtures}/handler.ts`, "--publish", "0=10.7.0.2:9000"];
    const run = start(...flags);
    const address = await run.published();
    const other = await connected(address);
    expect(await say(other, "hello")).toBe("fine");
    const victim = await connected(address);
    expect(await codeOf(say(victim, "throw"))).toBe("CONNECTION_RESET");
    await run.printed(/ error .*9000.*as it was told/, "log");
    expect(await say(other, "hello")).toBe("fine");
  });

  // An unhandled rejection, and an error in a callback of the plugin: only logged.
  test("survives uncaught errors of a plugin", async () => {
    const flags = ["--listen", `9000=${fixtures}/handler.ts`, "--publish", "0=10.7.0.2:9000"];
    const run = start(...flags);
    const client = await connected(await run.published());
    expect(await say(client, "reject")).toBe("fine");
    await run.printed(/ error uncaught error reason="a stray rejection"/, "log");
    expect(await say(client, "late")).toBe("fine");
    await run.printed(/ error uncaught error reason="a stray error"/, "log");
    expect(await say(client, "hello")).toBe("fine");
  });

  // No new connections, and existing ones finish; the log has the signal.
  test.each(["SIGTERM", "SIGQUIT"] as const)(
    "lets running connections finish after %s",
    async (signal) => {
      const run = start(...echoService);
      const address = await run.published();
      const client = await connected(address);
      expect(await say(client, "before")).toBe("before");
      run.kill(signal);
      await run.printed(new RegExp(`stopping.* signal=${signal}`), "log");
      expect(await codeOf(connected(address))).toBe("CONNECTION_REFUSED");
      expect(await say(client, "after")).toBe("after");
      await client.closeWrite();
      expect(await hear(client)).toBe("FIN");
      expect(await run.exit).toBe(0);
    },
  );

  // By default a runtime would end or open a debugger port: SIGUSR1 is logged, the connection
  // continues, and SIGUSR2 still logs the counters.
  test("ignores signals without a meaning", async () => {
    const run = start(...echoService);
    const client = await connected(await run.published());
    run.kill("SIGPIPE");
    run.kill("SIGUSR1");
    await run.printed(
      / info {2}SIGUSR1 reopens the log file, but there is none; SIGUSR2 logs the counters\n/,
      "log",
    );
    run.kill("SIGUSR2");
    await run.printed(/ info {2}stats /, "log");
    expect(await say(client, "still")).toBe("still");
    const [, port] = /Debugger listening on ws:\/\/127\.0\.0\.1:(\d+)/.exec(run.log) ?? [];
    while (port !== undefined && await accepts(Number(port)));
    client.abort();
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
  });

  // The reader of the log may exit; then only writing the log fails.
  test("continues, and ends gracefully, if its log is not read", async () => {
    const run = start(...echoService);
    const address = await run.published();
    run.stopReading();
    for (let i = 0; i < 3; i++) {
      const client = await connected(address);
      expect(await say(client, "hello")).toBe("hello");
      await client.closeWrite();
      expect(await hear(client)).toBe("FIN");
    }
    run.kill("SIGTERM");
    expect(await run.exit).toBe(0);
  });

  // As nohup(1) starts it: the terminal may close.
  test("keeps ignoring SIGHUP if started so", async () => {
    const ignoring = ["-c", 'trap "" HUP; exec "$@"', "sh"];
    const run = new Run("sh", [...ignoring, process.execPath, ...RUN, ...echoService]);
    const client = await connected(await run.published());
    run.kill("SIGHUP");
    expect(await say(client, "still")).toBe("still");
    client.abort();
    run.kill("SIGTERM");
    await run.printed(/stopping.* signal=SIGTERM/, "log");
    expect(await run.exit).toBe(0);
  });

  // Connections that do not finish within the grace time are reset.
  test("resets connections that outlast the grace time", async () => {
    const run = start("--config", configFile({ graceMs: 1 }), ...echoService);
    const client = await connected(await run.published());
    expect(await say(client, "before")).toBe("before");
    run.kill("SIGINT");
    expect(await codeOf(hear(client))).toBe("CONNECTION_RESET");
    expect(await run.exit).toBe(0);
  });

  // The connection is never closed and the grace time is long: the second signal does not wait.
  test("ends at once after a second signal", async () => {
    const run = start("--config", configFile({ graceMs: 600_000 }), ...echoService);
    const client = await connected(await run.published());
    expect(await say(client, "before")).toBe("before");
    run.kill("SIGTERM");
    await run.printed(/stopping/, "log");
    run.kill("SIGINT");
    expect(await run.exit).toBe(130);
  });
});
