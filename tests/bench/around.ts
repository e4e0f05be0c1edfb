/**
 * Compares the service with the alternatives that a user would choose, alternating: `around.ts [SECONDS] [ROUNDS]
 * [ROWS]`. ROWS limits it to rows whose group or name contains this text. Peers that are not installed are left out,
 * with a line on stderr. Everything runs in network namespaces that end with this program. Prints a line of JSON for
 * each row and target.
 *
 * @module
 */
import { closeSync, ftruncateSync, mkdirSync, openSync, writeFileSync } from "node:fs";
import process from "node:process";
import { makeCertificate } from "../support/certificates.ts";
import { Namespace } from "../support/namespace.ts";
import type { Program } from "../support/program.ts";
import { requires } from "../support/requirements.ts";
import { findRuntime } from "../support/runtimes.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { alternate, type Figure, type Load, measure, summary } from "./alternate.ts";
import { startBerth, startEgress, startForward } from "./around/berth.ts";
import {
  aroundLoads,
  type AroundTarget,
  type Group,
  LARGE,
  LARGE_FILE,
  SMALL_FILE,
} from "./around/loads.ts";
import {
  canMeasure,
  type Files,
  KERNEL_PORTS,
  OUTSIDE,
  PEER,
  pidIn,
  startDnsmasq,
  startGateways,
  startHaproxy,
  startNginx,
  startOwnServers,
} from "./around/peers.ts";
import { compile } from "./compile.ts";
import { figureOf } from "./loads.ts";
import { report } from "./report.ts";

const GROUPS: readonly Group[] = [
  "HTTP",
  "forward",
  "egress",
  "datagrams and WebSocket",
  "kernel",
];
/** Programs that load the targets; a row without its program is left out. */
const CLIENTS = ["wrk", "h2load", "curl"] as const;
const RUNTIMES = ["Deno", "Bun"] as const;
/** `forward` uses at most three eighths of the descriptors, and 20,000 is a common limit. */
const IDLE_CONNECTIONS = 7_000;
const IDLE_ROW = "memory of an idle connection";
const CEILING = { device: "ceiling0", address: "10.90.9.2" };
/** Reuses ports, because connections in TIME-WAIT would use up those of a client within seconds. */
const REUSE_PORTS = `cd /proc/sys/net/ipv4 && echo 1 > tcp_tw_reuse &&
  echo 1024 65535 > ip_local_port_range`;

const [seconds = 3, rounds = 5] = process.argv.slice(2, 4).map(Number);
const rows = process.argv[4] ?? "";

async function main(): Promise<void> {
  const available = requires(
    "tun",
    "program:ip",
    "program:nsenter",
    "program:cc",
    "program:openssl",
  );
  if (!available.ok) throw new Error(`This benchmark ${available.reason}`);
  using folder = new TemporaryFolder();
  const files = makeFiles(folder);
  const generator = compile(folder, "load");
  const missing = CLIENTS.filter((client) => !canMeasure(`rows by ${client}`, `program:${client}`));
  const chosen = new Map<Group, Load[]>();
  for (const group of GROUPS) {
    const loads = aroundLoads(group, generator, seconds).filter(({ name }) =>
      isChosen(group, name)
    );
    if (loads.length > 0) chosen.set(group, loads);
  }
  await using namespaces = new Namespaces();
  const [clients, servers] = await openPair(namespaces);
  for (const namespace of [clients, servers]) {
    await namespace.start(compile(folder, "kernel_server")).printed(/ready/);
  }
  if (isChosen("forward", IDLE_ROW)) await measureIdle(clients, servers, files, generator);
  const targets = await startTargets(chosen, clients, servers, files, namespaces);
  for (const [group, loads] of chosen) {
    const inGroup = targets.filter(({ groups }) => groups.includes(group));
    const possible = loads.filter((load) => {
      const command = inGroup.map((target) => load.command(target)).find((it) => it !== undefined);
      return command !== undefined && !missing.some((client) => client === command[0]);
    });
    const options = { benchmark: benchmarkOf(group), rounds, enter: clients.enter, warmsUp: true };
    await alternate(options, possible, inGroup);
  }
}

function isChosen(group: Group, row: string): boolean {
  const isGroup = GROUPS.some((each) => each === rows);
  return isGroup ? group === rows : `${group}: ${row}`.includes(rows);
}

function benchmarkOf(group: Group): string {
  return `around: ${group}`;
}

function makeFiles(folder: TemporaryFolder): Files {
  const { cert, key } = makeCertificate(["berth.test"]);
  mkdirSync(folder.file("www"));
  writeFileSync(folder.file(`www/${SMALL_FILE}`), new Uint8Array(10_240).fill(120));
  const large = openSync(folder.file(`www/${LARGE_FILE}`), "w");
  ftruncateSync(large, LARGE);
  closeSync(large);
  return { folder, certificate: folder.write("cert.pem", cert), key: folder.write("key.pem", key) };
}

/** Namespaces that are closed together. */
class Namespaces implements AsyncDisposable {
  readonly #all: Namespace[] = [];

  async open(): Promise<Namespace> {
    const namespace = await Namespace.open();
    this.#all.push(namespace);
    await namespace.shell(REUSE_PORTS).catch(({ message }) => console.error(message));
    return namespace;
  }

  async [Symbol.asyncDispose](): Promise<void> {
    for (const namespace of this.#all.reverse()) await namespace.close();
  }
}

/**
 * Clients and servers, joined by a veth pair; `OUTSIDE` is an address of the servers to which the
 * clients have no route.
 */
async function openPair(namespaces: Namespaces): Promise<[Namespace, Namespace]> {
  const clients = await namespaces.open();
  const servers = await namespaces.open();
  await clients.shell(
    `ip link add kernel0 type veth peer name kernel1 netns ${await pidIn(servers)} &&
     ip address add 10.91.0.1/24 dev kernel0 && ip link set kernel0 up`,
  );
  await servers.shell(`ip address add ${PEER}/24 dev kernel1 && ip link set kernel1 up &&
    ip address add ${OUTSIDE}/32 dev lo && ip route add default via 10.91.0.1`);
  return [clients, servers];
}

async function startTargets(
  chosen: ReadonlyMap<Group, readonly Load[]>,
  clients: Namespace,
  servers: Namespace,
  files: Files,
  namespaces: Namespaces,
): Promise<AroundTarget[]> {
  const targets: (AroundTarget | undefined)[] = [];
  for (const [index, name] of RUNTIMES.entries()) {
    const runtime = findRuntime(name);
    targets.push(...await startBerth(clients, runtime, index, files));
    if (chosen.has("HTTP") || chosen.has("datagrams and WebSocket")) {
      targets.push(await startOwnServers(servers, name, files));
    }
    if (chosen.has("egress")) {
      targets.push(await startEgress(servers, await namespaces.open(), runtime, index + 10));
    }
  }
  if (chosen.has("HTTP")) targets.push(await startNginx(servers, files));
  if (chosen.has("forward")) targets.push((await startHaproxy(servers, files))?.target);
  if (chosen.has("egress")) {
    targets.push(...await startGateways(servers, () => namespaces.open(), files));
  }
  if (chosen.has("datagrams and WebSocket")) {
    targets.push(await startDnsmasq(servers), await startCeiling(clients, files.folder));
  }
  const groups: Group[] = ["kernel", "datagrams and WebSocket"];
  targets.push({ name: "kernel", address: PEER, groups, ports: KERNEL_PORTS });
  return targets.filter((target) => target !== undefined);
}

/** A C program on a TUN device that does the minimum of work. */
async function startCeiling(
  namespace: Namespace,
  folder: TemporaryFolder,
): Promise<AroundTarget> {
  const { device, address } = CEILING;
  await namespace.start(compile(folder, "datagram_ceiling"), device).printed(/ready/);
  await namespace.shell(`ip address add 10.90.9.1/24 dev ${device} && ip link set ${device} up`);
  return {
    name: "C program on a TUN device",
    address,
    groups: ["datagrams and WebSocket"],
    ports: { datagrams: 7, dns: 53 },
  };
}

/** A load that opens connections one after the other and keeps them open. */
function idleLoad(generator: string, program: Program): Load {
  return {
    name: IDLE_ROW,
    unit: "KiB",
    command: (target) => {
      const { echo } = (target as AroundTarget).ports;
      const at = [target.address, String(echo), "0", String(IDLE_CONNECTIONS)];
      return [generator, "idle", ...at, String(program.pid)];
    },
    figure: (out) => figureOf(out, "kib_each"),
  };
}

/** Each round has new processes, since a process does not return memory to the system. */
async function measureIdle(
  clients: Namespace,
  servers: Namespace,
  files: Files,
  generator: string,
): Promise<void> {
  const start = [
    () => startForward(clients, findRuntime("Deno"), 0),
    () => startForward(clients, findRuntime("Bun"), 1),
    () => startHaproxy(servers, files),
  ];
  const figures = new Map<string, Figure[]>();
  for (let round = 0; round < rounds; round++) {
    for (const startOne of start) {
      const started = await startOne();
      if (started === undefined) continue;
      const { program, target } = started;
      const figure = await measure(idleLoad(generator, program), target, clients.enter);
      figures.set(target.name, [...figures.get(target.name) ?? [], figure]);
      await program.kill();
    }
  }
  for (const [target, all] of figures) {
    report(benchmarkOf("forward"), { load: IDLE_ROW, unit: "KiB", target, ...summary(all) });
  }
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
