/**
 * How soon the router stops sending to an instance, with the configurations of `examples/many`, in network namespaces:
 *
 *     withdrawals.ts [--daemon bird|frr|exabgp] [--rounds 5]
 *
 * Needs root, `curl`, `bird` and the daemon. Prints a line of JSON for each kind of end: the median and the longest time in
 * milliseconds from the event to the last change of the router's routes, of both families, and for a drain the time for
 * which SYNs are still accepted, which has to be longer. `ip monitor` tells the time of a change.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { ManyMachines } from "../e2e/many_machines.ts";
import { type Daemon, startDaemon, startRouter, untilRouted } from "../e2e/routing_daemons.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { median, report } from "./report.ts";

const { values } = parseArgs({
  options: {
    daemon: { type: "string", default: "bird" },
    rounds: { type: "string", default: "5" },
  },
});
const LAME_DUCK_MS = 3000;
/** No route of anybody (RFC 5737). */
const UNUSED = "192.0.2.1";
const KINDS = ["drains", "dies", "hangs", "is cut off"] as const;

type Kind = typeof KINDS[number];

/** One machine ends in each way; returns the milliseconds until its routes were withdrawn. */
async function run(): Promise<Record<Kind, number>> {
  await using network = await ManyMachines.open({
    machines: KINDS.length,
    profile: "internet",
    settings: { lameDuckMs: LAME_DUCK_MS },
  });
  using folder = new TemporaryFolder();
  const { machines, router } = network;
  startRouter(network, folder);
  await network.start(machines);
  for (const machine of machines) await startDaemon(values.daemon as Daemon, machine, folder);
  const numbers = machines.map(({ number }) => number);
  await untilRouted(network, numbers);
  if (values.daemon === "bird") {
    const sessions = `birdc -s ${folder.file("router.ctl")} show bfd sessions | grep -c Up`;
    await router.shell(`until [ "$(${sessions})" = ${machines.length} ]; do sleep 0.1; done`);
  }
  const monitor = router.start("ip", "-tshort", "monitor", "route");
  // It tells only of changes after it has started.
  while (!monitor.out.includes(UNUSED)) {
    await router.shell(
      `ip route replace blackhole ${UNUSED} && ip route delete blackhole ${UNUSED}`,
    );
  }
  const ends: Record<Kind, () => unknown> = {
    drains: () => machines[0]!.service!.signal("SIGTERM"),
    dies: () => machines[1]!.service!.signal("SIGKILL"),
    hangs: () => machines[2]!.service!.signal("SIGSTOP"),
    "is cut off": () => machines[3]!.namespace.shell("ip link set eth0 down"),
  };
  const times = {} as Record<Kind, number>;
  for (const kind of KINDS) {
    const began = Date.now();
    await ends[kind]();
    numbers.shift();
    await untilRouted(network, numbers);
    // The line of the change may arrive after the change.
    await new Promise((resolve) => setTimeout(resolve, 200));
    const changes = [...monitor.out.matchAll(/^\[(\S+)\].*(?:10\.53\.0\.1|fd53::1)/gm)];
    times[kind] = Math.round(Date.parse(`${changes.at(-1)![1]!.slice(0, 23)}`) - began);
  }
  machines[2]!.service!.signal("SIGKILL");
  monitor.hush();
  return times;
}

const rounds: Record<Kind, number>[] = [];
for (let round = 0; round < Number(values.rounds); round++) rounds.push(await run());
for (const kind of KINDS) {
  const times = rounds.map((each) => each[kind]);
  report("withdrawals", {
    daemon: values.daemon,
    instance: kind,
    medianMs: median(times),
    longestMs: Math.max(...times),
    ...kind === "drains" && { acceptsForMs: LAME_DUCK_MS },
  });
}
process.exit(0);
