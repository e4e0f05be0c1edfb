/**
 * Upgrades of a service under load: connections that stay open and check every byte, connections that are
 * opened all the time, and datagrams, over IPv4 and IPv6. First without an upgrade, then while upgrades
 * follow each other. Prints a line of JSON: faults, messages and connections of the clients, the slowest
 * handshake, and how long upgrades took.
 *
 *     bun tests/bench/upgrades.ts [--runtime Deno|Bun] [--workers 1] [--upgrades 20] [--held 200]
 *         [--fresh 8] [--seconds 60]
 *
 * Needs root or user namespaces, and a TUN device.
 *
 * @module
 */
import process from "node:process";
import { setTimeout as sleep } from "node:timers/promises";
import { parseArgs } from "node:util";
import { Namespace } from "../support/namespace.ts";
import { findRuntime } from "../support/runtimes.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import type { SteadyClientOptions, SteadyClientResult } from "../e2e/programs/steady_clients.ts";
import { report } from "./report.ts";
import { programCommand, V4, V6 } from "../e2e/service.ts";

const { values } = parseArgs({
  options: {
    runtime: { type: "string" },
    workers: { type: "string", default: "1" },
    upgrades: { type: "string", default: "20" },
    held: { type: "string", default: "200" },
    fresh: { type: "string", default: "8" },
    seconds: { type: "string", default: "60" },
  },
});
const runtimes = values.runtime === undefined ? ["Deno", "Bun"] : [values.runtime];
for (const name of runtimes) await measure(name as "Deno" | "Bun");

async function measure(name: "Deno" | "Bun"): Promise<void> {
  const [upgrades, seconds] = [Number(values.upgrades), Number(values.seconds)];
  await using namespace = await Namespace.open();
  using folder = new TemporaryFolder();
  const { executable } = findRuntime(name);
  const runtime = name === "Deno" ? [executable, "run", "-A"] : [executable];
  const admin = ["--admin", `unix:${folder.file("admin")}`];
  const device = ["--tun", "berth0", "--address", `${V4}/24`, "--address", `${V6}/64`];
  const service = namespace.start(
    ...[
      ...runtime,
      "main.ts",
      ...device,
      ...admin,
      "--workers",
      values.workers,
      "--all-processors",
      "on",
    ],
    ...["--listen", "7=echo", "--listen", "udp/7=echo", "--log-level", "warn"],
  );
  await service.printed(/Ctrl\+C/);
  const quiet = await withClients(namespace, () => sleep(seconds * 1000));
  const times: number[] = [];
  let [processes, failed] = [0, ""];
  const upgrading = await withClients(namespace, async () => {
    for (let i = 0; i < upgrades && failed === ""; i++) {
      const began = performance.now();
      const upgrade = namespace.start(...runtime, "main.ts", "upgrade", "--json", ...admin);
      const { exit, log } = await upgrade.finish(90_000);
      times.push(performance.now() - began);
      if (exit !== 0) failed = log;
      const running = await namespace.shell("pgrep -f -c 'main.ts.*--tun berth0' || true");
      processes = Math.max(processes, Number(running));
      await sleep(Math.max(0, seconds * 1000 / upgrades - (performance.now() - began)));
    }
  });
  times.sort((a, b) => a - b);
  report("upgrades", {
    service: name,
    workers: Number(values.workers),
    upgrades: times.length,
    failed,
    medianUpgradeMs: Math.round(times[times.length >> 1]!),
    slowestUpgradeMs: Math.round(times.at(-1)!),
    mostProcesses: processes,
    quiet,
    upgrading,
    log: service.log,
  });
  if (failed !== "" || upgrading.faults.length > 0) process.exitCode = 1;
}

/** Runs clients while `act` runs. */
async function withClients(
  namespace: Namespace,
  act: () => Promise<unknown>,
): Promise<SteadyClientResult> {
  const options: SteadyClientOptions = {
    hosts: [V4, V6],
    port: 7,
    held: Number(values.held),
    fresh: Number(values.fresh),
    bytes: 2000,
    udp: true,
  };
  const clients = namespace.start(...programCommand("steady_clients.ts", JSON.stringify(options)));
  await clients.printed(/running/);
  await act();
  clients.hush();
  const { out } = await clients.finish(60_000);
  return JSON.parse(out.slice(out.indexOf("{")));
}
