/**
 * What clients notice when instances behind one address come and go, in network namespaces with plain multipath routes:
 * `many_machines.ts [--connections N] [--profile local|internet] [--peers on|off]`. Needs root and `curl`. Prints a line of
 * JSON for each step: connections that were broken, those of them that the instance had which went away, and the longest
 * wait of a surviving connection for an answer, in milliseconds.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { exchange, type Machine, ManyMachines, reportOf } from "../e2e/many_machines.ts";
import type { LongClientReport } from "../e2e/programs/long_clients.ts";
import { runtimeCommand } from "../support/program.ts";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "1000" },
    profile: { type: "string", default: "internet" },
    peers: { type: "string", default: "on" },
  },
});
const connections = Number(values.connections);
const profile = values.profile === "local" ? "local" : "internet";
const hasPeers = values.peers !== "off";
const runtime = process.versions["bun"] === undefined ? "deno" : "bun";
/** Answers of each connection after a step. */
const ANSWERS = 5;
/** A dead instance is noticed, and its clients' retransmissions are answered, within this time. */
const DEAD_MS = 8000;

await using network = await ManyMachines.open({
  machines: 5,
  profile,
  settings: hasPeers ? {} : { peers: undefined },
});
const { machines } = network;
const [first, second] = machines as [Machine, Machine];
const four = machines.slice(0, 4);
await network.start(four);
await network.route(four);
const clients = await network.connect({ connections, everyMs: 500 });
await exchange(clients, 2);

let before = (await reportOf(clients)).broken;
await network.start(machines.slice(4), machines);
if (hasPeers) network.reload(four, machines);
await network.ready(machines[4]!);
await reportOf(clients);
await network.route(machines);
await show("add 4 to 5", 0);

await ask(first, "drain");
const drained = await countOf(first);
await reportOf(clients);
await network.route(machines.slice(1));
await show("drain 1 of 5", drained);

const killed = await countOf(second);
await reportOf(clients);
await second.service!.kill();
await network.route(machines.slice(2));
await new Promise((resolve) => setTimeout(resolve, DEAD_MS));
await show("kill 1 of 4", killed);
process.exit(0);

async function show(step: string, own: number): Promise<void> {
  const report: LongClientReport = await exchange(clients, ANSWERS);
  const broken = report.broken - before;
  before = report.broken;
  const { worstStallMs, wrong, reasons } = report;
  console.log(
    JSON.stringify({
      runtime,
      profile,
      hasPeers,
      connections,
      step,
      own,
      broken,
      worstStallMs,
      wrong,
      reasons,
    }),
  );
}

async function ask(machine: Machine, ...command: string[]): Promise<string> {
  return await machine.namespace.run(
    runtimeCommand("main.ts", ...command, "--admin", `unix:${machine.admin}`),
  );
}

async function countOf(machine: Machine): Promise<number> {
  return JSON.parse(await ask(machine, "connections", "--json")).total;
}
