import process from "node:process";
import { describe, expect } from "bun:test";
import { Namespace } from "../support/namespace.ts";
import { runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { NEEDS, runEchoClients, startService, V4 } from "./service.ts";

const PROGRAMS = [...NEEDS, "program:curl", "program:nc"] as const;

describe("the metrics of an upgraded service", () => {
  // Each of three processes gets twenty connections, and the first one more, which moves to the others. The counters
  // continue and count each connection once, even when earlier processes have ended.
  testRequiring(PROGRAMS, "are those of all its processes", async () => {
    await using namespace = await Namespace.open();
    using folder = new TemporaryFolder();
    const socket = folder.file("admin");
    const flags = ["--admin", `unix:${socket}`, "--metrics", "on"];
    const service = await startService(namespace, ...flags);
    let pid = service.pid;
    const labels = 'listen="7",plugin="echo"';
    const read = async (name: string) => {
      const url = "http://localhost/metrics";
      const text = await namespace.run(["curl", "-s", "--unix-socket", socket, url]);
      return Number(text.split(`\n${name}{${labels}} `)[1]?.split("\n")[0]);
    };
    /** Waits until the value is the expected one: a process sends its metrics once a second. */
    const becomes = async (name: string, value: number) => {
      while (await read(name) !== value);
    };
    const held = namespace.start("nc", V4, "7");
    for (let generation = 1; generation <= 3; generation++) {
      const clients = { connections: 20, atOnce: 10, least: 10, most: 10 };
      await runEchoClients(namespace, clients, 30_000);
      await becomes("berth_binding_connections_total", 20 * generation + 1);
      await becomes("berth_binding_open", 1);
      if (generation === 3) break;
      const upgrade = ["upgrade", "--admin", `unix:${socket}`, "--json"];
      pid = JSON.parse(await namespace.run(runtimeCommand("main.ts", ...upgrade), 40_000)).pid;
    }
    held.signal("SIGKILL");
    await becomes("berth_binding_open", 0);
    expect(await read("berth_binding_connections_total")).toBe(61);
    process.kill(pid, "SIGTERM");
    await service.finish(15_000);
  }, 90_000);
});
