import { describe, expect } from "bun:test";
import process from "node:process";
import { Namespace } from "../support/namespace.ts";
import { type Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import type { SteadyClientOptions, SteadyClientResult } from "./programs/steady_clients.ts";
import { NEEDS, programCommand, startService, TWO_WORKERS, V4, V6 } from "./service.ts";

const CLIENTS: SteadyClientOptions = {
  hosts: [V4, V6],
  port: 7,
  held: 8,
  fresh: 2,
  bytes: 2000,
  udp: true,
};

/** A service in a namespace, with clients that never stop. */
class Upgraded implements AsyncDisposable {
  readonly folder = new TemporaryFolder();
  readonly namespace: Namespace;
  readonly service: Program;
  readonly #clients: Program | undefined;
  /** The process that serves. */
  pid: number;

  private constructor(namespace: Namespace, service: Program, clients: Program | undefined) {
    this.namespace = namespace;
    this.service = service;
    this.#clients = clients;
    this.pid = service.pid;
  }

  static async start(
    { clients, flags = [] }: { clients?: SteadyClientOptions; flags?: readonly string[] },
  ): Promise<Upgraded> {
    const namespace = await Namespace.open();
    const folder = new TemporaryFolder();
    const service = await startService(
      namespace,
      ...["--admin", `unix:${folder.file("admin")}`, "--listen", "udp/7=echo"],
      ...flags,
    );
    const running = clients === undefined
      ? undefined
      : namespace.start(...programCommand("steady_clients.ts", JSON.stringify(clients)));
    await running?.printed(/running/);
    const upgraded = new Upgraded(namespace, service, running);
    Object.assign(upgraded, { folder });
    return upgraded;
  }

  /** The output of `berth upgrade`. */
  async upgrade(...flags: readonly string[]): Promise<{ exit: unknown; log: string }> {
    const admin = `unix:${this.folder.file("admin")}`;
    const command = this.namespace.start(
      ...runtimeCommand("main.ts", "upgrade", "--admin", admin, "--json", ...flags),
    );
    const { exit, out, log } = await command.finish(40_000);
    if (exit === 0) this.pid = JSON.parse(out).pid;
    return { exit, log };
  }

  async endClients(): Promise<SteadyClientResult> {
    this.#clients!.hush();
    const { out } = await this.#clients!.finish(30_000);
    return JSON.parse(out.slice(out.indexOf("{")));
  }

  /** Ends the process that serves, and with it all others. */
  async stop(): Promise<void> {
    process.kill(this.pid, "SIGTERM");
    await this.service.finish(15_000);
    expect(await this.namespace.run(["ip", "-brief", "link"])).not.toContain("berth0");
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.namespace.close();
    this.folder[Symbol.dispose]();
  }
}

function expectNoFault(result: SteadyClientResult): void {
  expect(result.faults).toEqual([]);
  expect(result.fewest).toBeGreaterThan(3);
  expect(result.connects).toBeGreaterThan(3);
  expect(result.datagrams).toBeGreaterThan(3);
}

describe("an upgrade", () => {
  // During three upgrades in a row, connections and flows of IPv4 and IPv6 continue, and new ones are accepted all
  // the time.
  testRequiring(NEEDS, "breaks no connection and refuses none", async () => {
    await using run = await Upgraded.start({ clients: CLIENTS });
    const first = run.pid;
    for (let i = 0; i < 3; i++) expect(await run.upgrade()).toEqual({ exit: 0, log: "" });
    expect(run.pid).not.toBe(first);
    expectNoFault(await run.endClients());
    await run.stop();
    expect(run.service.log).toBe("");
  }, 90_000);

  testRequiring(NEEDS, "works with several workers", async () => {
    await using run = await Upgraded.start({ clients: CLIENTS, flags: [...TWO_WORKERS] });
    for (let i = 0; i < 2; i++) expect(await run.upgrade()).toEqual({ exit: 0, log: "" });
    expectNoFault(await run.endClients());
    await run.stop();
  }, 90_000);

  // The port leads to the stack through the kernel; the listening sockets move.
  testRequiring(NEEDS, "moves published ports", async () => {
    const publish = [`127.0.0.1:4000=${V4}:7`, `udp/127.0.0.1:4000=${V4}:7`]
      .flatMap((port) => ["--publish", port]);
    const clients = { ...CLIENTS, hosts: ["127.0.0.1"], port: 4000 };
    await using run = await Upgraded.start({ clients, flags: publish });
    for (let i = 0; i < 2; i++) expect(await run.upgrade()).toEqual({ exit: 0, log: "" });
    const result = await run.endClients();
    expectNoFault(result);
    expect(result.lostDatagrams).toBe(0);
    await run.stop();
  }, 90_000);

  // The kernel gives each process only the datagrams of its own clients.
  testRequiring(
    [...NEEDS, "program:python3"],
    "leaves clients of a published UDP port",
    async () => {
      await using run = await Upgraded.start({
        flags: ["127.0.0.1", "[::1]"].flatMap((host) => ["--publish", `udp/${host}:4000=${V4}:9`])
          .concat("--listen", "udp/9=./tests/e2e/programs/say_process.ts"),
      });
      const admin = `unix:${run.folder.file("admin")}`;
      const upgrade = runtimeCommand("main.ts", "upgrade", "--json", "--admin", admin);
      const program = "tests/e2e/programs/ask_process.py";
      const { out, log } = await run.namespace.start("python3", program, "4000", ...upgrade)
        .finish(60_000);
      expect(log).toBe("");
      expect(out.split("\n")).toEqual([
        "one process True",
        "upgraded 0",
        "early clients stay True {2}",
        "late clients 1 True",
        "early clients stay True {5}",
        "all the time True []",
        "",
      ]);
      expect(run.service.log).toBe("");
    },
    90_000,
  );

  // Upgrades with a plugin that does not exist, with one that loads for ever, and with other settings of the device
  // fail: the old process serves, and the answer says why. A valid upgrade then succeeds.
  testRequiring(NEEDS, "that fails leaves the old process serving", async () => {
    using files = new TemporaryFolder();
    const write = (config: unknown) => files.write("berth.json", JSON.stringify(config));
    files.write("hangs.ts", "await new Promise(() => setInterval(() => {}, 1000));");
    const flags = ["--config", write({ listen: { "9": "echo" } })];
    await using run = await Upgraded.start({ clients: CLIENTS, flags });
    const { pid } = run;
    write({ listen: { "9": "ecko" } });
    const misspelt = await run.upgrade();
    expect(misspelt.exit).toBe(1);
    expect(misspelt.log).toContain("did you mean echo");
    expect(run.service.log).toMatch(
      /error upgrade: the new process cannot serve.*did you mean echo/,
    );
    write({ listen: { "9": "./hangs.ts" } });
    expect((await run.upgrade("--limit-ms", "3000")).log).toContain("not ready within 3000 ms");
    write({ listen: { "9": "echo" }, mtu: 1400 });
    expect((await run.upgrade()).log).toContain("mtu: 1500 cannot become 1400 in an upgrade");
    write({ listen: { "9": "echo" } });
    process.kill(pid, 0);
    expect(await run.upgrade()).toEqual({ exit: 0, log: "" });
    expectNoFault(await run.endClients());
    await run.stop();
  }, 90_000);

  // While a plugin of the new process loads, another upgrade is refused.
  testRequiring(NEEDS, "is done one at a time", async () => {
    using files = new TemporaryFolder();
    const write = (config: unknown) => files.write("berth.json", JSON.stringify(config));
    files.write("hangs.ts", "await new Promise(() => setInterval(() => {}, 1000));");
    const flags = ["--log-level", "info", "--config", write({})];
    await using run = await Upgraded.start({ flags });
    write({ listen: { "9": "./hangs.ts" } });
    const first = run.upgrade("--limit-ms", "8000");
    await run.service.printed(/upgrade: starting a new process/, "log");
    const second = await run.upgrade();
    expect([second.exit, second.log]).toEqual([
      1,
      "berth: an upgrade is in progress: try again when it has ended\n",
    ]);
    expect((await first).log).toContain("not ready within 8000 ms");
    await run.stop();
  }, 60_000);

  // The new process is killed: the old process, which still has connections, serves again.
  testRequiring(NEEDS, "is undone when the new process ends", async () => {
    await using run = await Upgraded.start({ clients: CLIENTS });
    const first = run.pid;
    await run.upgrade();
    process.kill(run.pid, "SIGKILL");
    await run.service.printed(/this one serves again/, "log");
    run.pid = first;
    expect(await run.upgrade()).toEqual({ exit: 0, log: "" });
    const { faults, connects } = await run.endClients();
    // Connections of the process that was killed are reset; none of the first one's.
    expect(faults.filter((fault) => fault.startsWith("held"))).toEqual([]);
    expect(connects).toBeGreaterThan(3);
    await run.stop();
  }, 90_000);

  // The first two processes have connections. The third has none and has ended when the fourth is killed, so the
  // second serves again, and passes the first one its packets.
  testRequiring(NEEDS, "is undone by the newest process that is left", async () => {
    const held = { ...CLIENTS, fresh: 0, udp: false };
    using files = new TemporaryFolder();
    const config = files.write("berth.json", JSON.stringify({ upgradeMoves: false }));
    await using run = await Upgraded.start({ clients: held, flags: ["--config", config] });
    await run.upgrade();
    const second = run.pid;
    const others = run.namespace.start(
      ...programCommand("steady_clients.ts", JSON.stringify(held)),
    );
    await others.printed(/running/);
    await run.upgrade();
    const third = run.pid;
    await run.upgrade();
    await run.namespace.shell(`while kill -0 ${third} 2>/dev/null; do sleep 0.1; done`);
    process.kill(run.pid, "SIGKILL");
    await run.service.printed(/this one serves again/, "log");
    run.pid = second;
    expect((await run.upgrade()).exit).toBe(0);
    others.hush();
    const { out } = await others.finish(30_000);
    expect(JSON.parse(out.slice(out.indexOf("{"))).faults).toEqual([]);
    expect((await run.endClients()).faults).toEqual([]);
    await run.stop();
  }, 90_000);

  // The old process is killed: its connections are lost, and the new process continues.
  testRequiring(NEEDS, "does not need the old process any more", async () => {
    await using run = await Upgraded.start({ clients: CLIENTS });
    const first = run.pid;
    await run.upgrade();
    process.kill(first, "SIGKILL");
    await run.namespace.shell(`while kill -0 ${first} 2>/dev/null; do sleep 0.1; done`);
    const { faults, connects } = await run.endClients();
    expect(faults.filter((fault) => !fault.startsWith("held"))).toEqual([]);
    expect(connects).toBeGreaterThan(3);
    await run.stop();
  }, 90_000);
});
