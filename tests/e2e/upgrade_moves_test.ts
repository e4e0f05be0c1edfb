import { describe, expect } from "bun:test";
import process from "node:process";
import { Namespace } from "../support/namespace.ts";
import { type Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import type { SteadyClientResult } from "./programs/steady_clients.ts";
import { NEEDS, programCommand, startService, TWO_WORKERS, V4, V6 } from "./service.ts";

const FORWARDED_PORT = 7000;

/** A service whose port 7 echoes itself, and whose port 7000 is forwarded to an echo service of the host. */
class Service implements AsyncDisposable {
  readonly folder = new TemporaryFolder();
  readonly namespace: Namespace;
  readonly first: Program;
  pid: number;
  readonly #clients: Program[] = [];

  private constructor(namespace: Namespace, first: Program, folder: TemporaryFolder) {
    this.namespace = namespace;
    this.first = first;
    this.folder = folder;
    this.pid = first.pid;
  }

  static async start(
    config: Readonly<Record<string, unknown>> = {},
    ...flags: readonly string[]
  ): Promise<Service> {
    const namespace = await Namespace.open();
    const folder = new TemporaryFolder();
    const server = namespace.start(...programCommand("host_echo.ts", `${FORWARDED_PORT}`));
    await server.printed(/listening/);
    const forward = { plugin: "forward", options: { to: `127.0.0.1:${FORWARDED_PORT}` } };
    const first = await startService(
      namespace,
      ...["--admin", `unix:${folder.file("admin")}`, "--log-level", "info", ...flags],
      ...[
        "--config",
        folder.write(
          "berth.json",
          JSON.stringify({ listen: { [FORWARDED_PORT]: forward }, ...config }),
        ),
      ],
    );
    return new Service(namespace, first, folder);
  }

  /** Clients that check every byte, on connections that stay open. */
  async clients(port: number, held: number): Promise<void> {
    const options = { hosts: [V4, V6], port, held, fresh: 0, bytes: 20_000, udp: false };
    const clients = this.namespace.start(
      ...programCommand("steady_clients.ts", JSON.stringify(options)),
    );
    await clients.printed(/running/);
    this.#clients.push(clients);
  }

  async upgrade(): Promise<void> {
    const admin = `unix:${this.folder.file("admin")}`;
    const command = this.namespace.start(
      ...runtimeCommand("main.ts", "upgrade", "--admin", admin, "--json"),
    );
    const { exit, out, log } = await command.finish(40_000);
    expect([exit, log]).toEqual([0, ""]);
    this.pid = JSON.parse(out).pid;
  }

  /** Waits until a counter of the process that serves is not 0. */
  async counted(name: string): Promise<void> {
    const stats = `curl -s --unix-socket ${this.folder.file("admin")} http://localhost/stats`;
    await this.namespace.shell(`until ${stats} | grep -q '${name}": *[1-9]'; do :; done`);
  }

  /** Waits until a process has ended. */
  async ended(pid: number): Promise<void> {
    await this.namespace.shell(`while kill -0 ${pid} 2>/dev/null; do sleep 0.1; done`);
  }

  async endClients(): Promise<SteadyClientResult[]> {
    const results: SteadyClientResult[] = [];
    for (const clients of this.#clients.splice(0)) {
      clients.hush();
      const { out } = await clients.finish(30_000);
      results.push(JSON.parse(out.slice(out.indexOf("{"))));
    }
    return results;
  }

  async expectNoFault(): Promise<void> {
    for (const { faults, fewest } of await this.endClients()) {
      expect(faults).toEqual([]);
      expect(fewest).toBeGreaterThan(3);
    }
  }

  async stop(): Promise<void> {
    process.kill(this.pid, "SIGTERM");
    await this.first.finish(15_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.namespace.close();
    this.folder[Symbol.dispose]();
  }
}

describe("an upgrade", () => {
  // The connections never end. They move to the new process, so that the old one can end, twice in a row.
  testRequiring(
    NEEDS,
    "moves echoed and forwarded connections, and ends the old process",
    async () => {
      await using run = await Service.start();
      await run.clients(7, 20);
      await run.clients(FORWARDED_PORT, 20);
      for (let i = 0; i < 2; i++) {
        const old = run.pid;
        await run.upgrade();
        await run.ended(old);
      }
      await run.expectNoFault();
      await run.stop();
      expect(run.first.log).toMatch(
        /connections moved to the new process moved=40 stayed=0 lost=0/,
      );
    },
    120_000,
  );

  // Segments are lost and reordered in both directions, also those of the move.
  testRequiring(NEEDS, "moves connections over a path that loses", async () => {
    const impair = { loss: 0.02, reorder: 0.02, delayMs: 1 };
    await using run = await Service.start({ impair: { ...impair, incoming: impair } });
    await run.clients(7, 10);
    await run.clients(FORWARDED_PORT, 10);
    const old = run.pid;
    await run.upgrade();
    await run.ended(old);
    await run.expectNoFault();
    await run.stop();
  }, 120_000);

  // Each worker moves its connections to the worker with the same number in the new process.
  testRequiring(NEEDS, "moves the connections of each worker", async () => {
    await using run = await Service.start({}, ...TWO_WORKERS);
    await run.clients(7, 20);
    const old = run.pid;
    await run.upgrade();
    await run.ended(old);
    await run.expectNoFault();
    await run.stop();
  }, 120_000);

  // The old process keeps its connections until they end.
  testRequiring(NEEDS, "moves nothing if upgradeMoves is false", async () => {
    await using run = await Service.start({ upgradeMoves: false });
    await run.clients(7, 4);
    const old = run.pid;
    await run.upgrade();
    await run.namespace.shell("sleep 5");
    process.kill(old, 0);
    await run.expectNoFault();
    await run.ended(old);
    await run.stop();
  }, 60_000);

  // The new process is killed while connections move to it. The connections that it has, and at most one batch, are
  // lost; all others continue in the old process, which serves again.
  testRequiring(
    [...NEEDS, "program:curl"],
    "loses at most one batch if the new process is killed",
    async () => {
      await using run = await Service.start();
      await run.clients(7, 300);
      const first = run.pid;
      await run.upgrade();
      await run.counted("connectionsThawed");
      process.kill(run.pid, "SIGKILL");
      await run.first.printed(/this one serves again/, "log");
      await run.first.printed(/connections moved to the new process/, "log");
      const found = /to the new process moved=(\d+) stayed=\d+ lost=(\d+)/.exec(run.first.log)!;
      const [moved, lost] = [Number(found[1]), Number(found[2])];
      expect(lost).toBeLessThanOrEqual(8);
      run.pid = first;
      const [result] = await run.endClients();
      // Every client of these connections is told by a RST when it sends, and no other client misses a byte. The
      // program reports up to 20.
      expect(result!.faults.length).toBe(Math.min(20, moved + lost));
      for (const fault of result!.faults) expect(fault).toMatch(/ECONNRESET|EPIPE|closed/);
      await run.stop();
    },
    120_000,
  );
});
