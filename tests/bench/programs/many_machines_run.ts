/**
 * One run of `many_machines.ts`, on the runtime that runs this: `many_machines_run.ts CONNECTIONS PROFILE PEERS`. Prints
 * a line of JSON for each step, see {@link Step}.
 *
 * @module
 */
import process from "node:process";
import { exchange, type Machine, ManyMachines, reportOf } from "../../e2e/many_machines.ts";
import { runtimeCommand } from "../../support/program.ts";

/** The effects of a step on the clients. */
export interface Step {
  readonly step: string;
  /** Connections of the instance that goes away. */
  readonly own: number;
  readonly broken: number;
  readonly wrong: number;
  readonly reasons: Readonly<Record<string, number>>;
  /** The longest time that a surviving connection has waited for an answer, in milliseconds. */
  readonly worstStallMs: number;
  /** The longest delay of the client's own timers, in milliseconds. */
  readonly clientLagMs: number;
  /** Segments that the client's kernel has retransmitted. */
  readonly retransmitted: number;
  /** Packets that the devices of the instances, their sockets and the instances themselves have dropped. */
  readonly dropped: Readonly<Record<string, number>>;
}

const [count = "1000", profileText = "internet", peers = "on"] = process.argv.slice(2);
const connections = Number(count);
const profile = profileText === "local" ? "local" : "internet";
const hasPeers = peers !== "off";
/** Answers of each connection after a step. */
const ANSWERS = 5;
/** A dead instance is noticed, and its clients' retransmissions are answered, within this time. */
const DEAD_MS = 8000;

const network = await ManyMachines.open({
  machines: 5,
  profile,
  settings: hasPeers ? {} : { peers: undefined },
});
const { machines } = network;
const [first, second, third] = machines as [Machine, Machine, Machine];
const four = machines.slice(0, 4);
await network.start(four);
if (hasPeers) { for (const machine of four) await network.ready(machine); }
await network.route(four);
const clients = await network.connect({ connections, everyMs: 500 });
await exchange(clients, 2);

let before = await take();
await network.start(machines.slice(4), machines);
if (hasPeers) network.reload(four, machines);
await network.ready(machines[4]!);
await begin();
await network.route(machines);
await show("add 4 to 5", 0);

await begin();
await ask(third, "upgrade");
await show("upgrade 1 of 5", await countOf(third));

await ask(first, "drain");
const drained = await countOf(first);
await begin();
await network.route(machines.slice(1));
await show("drain 1 of 5", drained);

const killed = await countOf(second);
await begin();
await second.service!.kill();
await network.route(machines.slice(2));
const deadline = performance.now() + DEAD_MS;
while (hasPeers && await brokenNow() < killed && performance.now() < deadline) {
  await new Promise((resolve) => setTimeout(resolve, 100));
}
await show("kill 1 of 4", killed);
await network[Symbol.asyncDispose]();
process.exit(0);

async function show(step: string, own: number): Promise<void> {
  const report = await exchange(clients, ANSWERS);
  const now = await take();
  const dropped: Record<string, number> = {};
  for (const [name, count] of Object.entries(now.dropped)) {
    const more = count - (before.dropped[name] ?? 0);
    if (more > 0) dropped[name] = more;
  }
  const { worstStallMs, worstLagMs, wrong, reasons } = report;
  const result: Step = {
    step,
    own,
    broken: report.broken - before.broken,
    wrong,
    reasons,
    worstStallMs,
    clientLagMs: worstLagMs,
    retransmitted: now.retransmitted - before.retransmitted,
    dropped,
  };
  console.log(JSON.stringify(result));
  before = now;
}

/** Resets the counters before the step. */
async function begin(): Promise<void> {
  before = await take();
  await reportOf(clients);
}

async function brokenNow(): Promise<number> {
  return (await reportOf(clients, "peek")).broken - before.broken;
}

/** The counters now. */
async function take() {
  const { broken } = await reportOf(clients, "peek");
  const snmp = await network.client.shell("cat /proc/net/snmp");
  const dropped: Record<string, number> = {};
  const add = (name: string, count: number) => dropped[name] = (dropped[name] ?? 0) + count;
  for (const { namespace, admin, service } of machines) {
    if (service === undefined) continue;
    const stats = `curl -s --unix-socket ${admin} http://localhost/stats || echo {}`;
    for (const [name, count] of Object.entries(JSON.parse(await namespace.shell(stats)))) {
      if (/drop|linkFull/.test(name)) add(name, count as number);
    }
    const device = "cat /sys/class/net/berth0/statistics/tx_dropped 2>/dev/null || echo 0";
    add("device", Number(await namespace.shell(device)));
    const udp = counterOf(await namespace.shell("cat /proc/net/snmp"), "Udp", "RcvbufErrors");
    add("socket", udp);
  }
  return { broken, retransmitted: counterOf(snmp, "Tcp", "RetransSegs"), dropped };
}

/** A counter in the format of `/proc/net/snmp`. */
function counterOf(text: string, protocol: string, name: string): number {
  const [names = "", values = ""] = text.split("\n")
    .filter((line) => line.startsWith(`${protocol}:`));
  return Number(values.split(" ")[names.split(" ").indexOf(name)]);
}

async function ask(machine: Machine, ...command: string[]): Promise<string> {
  return await machine.namespace.run(
    runtimeCommand("main.ts", ...command, "--admin", `unix:${machine.admin}`),
    60_000,
  );
}

/** The connections that an instance has. */
async function countOf({ namespace, admin }: Machine): Promise<number> {
  const url = "http://localhost/connections?limit=0";
  return JSON.parse(await namespace.shell(`curl -s --unix-socket ${admin} '${url}'`)).total;
}
