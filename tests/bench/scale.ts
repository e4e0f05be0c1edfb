/**
 * Calculates how many workers in one machine, and how many instances on several, are useful: up to 64 workers and 100
 * instances, from costs that it measures itself on one processor and from those of `workers.ts`:
 *
 *     deno run -A tests/bench/scale.ts [--segment-us 8] [--connection-us 70] [--datagram-us 5]
 *
 * The assignment of flows to workers and of connections to instances is simulated with the stack's own functions; the
 * router's multipath routes by the hash thresholds that the kernel uses. Prints lines of JSON: the costs, then a row for
 * each number of workers and of instances. It leaves out memory bandwidth, the network card and the other end.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { Worker } from "node:worker_threads";
import { createLogger } from "../../adapters/service/log/logger.ts";
import {
  connectMailboxes,
  type MailboxEnds,
  Mailboxes,
} from "../../adapters/service/workers/mailboxes.ts";
import { waitingLines, writeWorkerLine } from "../../adapters/service/workers/worker_log.ts";
import { Membership } from "../../core/stack/peers/membership.ts";
import { Messages } from "../../core/stack/peers/message.ts";
import { BROADCAST_PER_SECOND, HANDED_PER_SECOND } from "../../core/stack/peers/peers.ts";
import { MAX_INSTANCES } from "../../core/stack/peers/instance_mark.ts";
import { shardOf } from "../../core/stack/sharding/shard.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { report } from "./report.ts";

const WORKERS = [1, 2, 4, 8, 16, 32, 64];
const INSTANCES = [2, 4, 10, 32, 64, 100];
/** Messages about the state of an instance, to each other one. */
const STATES_PER_SECOND = 4;
const PACKET = 1500;
/** Positions of the router's hash, evenly spread. */
const HASHES = 100_000;

/** Microseconds of processor time. */
interface Costs {
  /** Receiving, handling and answering a segment in a worker. From `workers.ts`. */
  readonly segment: number;
  /** A connection from its SYN to its end. From `workers.ts`. */
  readonly connection: number;
  /** The system calls of a UDP datagram between instances, at one end. */
  readonly datagram: number;
  /** A segment from one worker to another, both ends. */
  readonly hop: number;
  /** Sealing a segment for another instance. */
  readonly seal: number;
  /** Opening a sealed segment. */
  readonly open: number;
  /** A line of a worker in the main thread, without the disk. */
  readonly line: number;
}

interface Limit {
  readonly limit: string;
  /** In units of the row. */
  readonly at: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      "segment-us": { type: "string", default: "8" },
      "connection-us": { type: "string", default: "70" },
      "datagram-us": { type: "string", default: "5" },
    },
  });
  const costs: Costs = {
    segment: Number(values["segment-us"]),
    connection: Number(values["connection-us"]),
    datagram: Number(values["datagram-us"]),
    hop: await hopCost(),
    line: lineCost(),
    ...messageCosts(),
  };
  const perMember = candidateCost(100) / 100;
  report("scale: costs", { microseconds: rounded({ ...costs, rendezvousPerMember: perMember }) });
  for (const workers of WORKERS) report("scale: workers", rounded(workersRow(workers, costs)));
  for (const instances of INSTANCES) {
    report("scale: instances", rounded(instancesRow(instances, costs, perMember)));
  }
}

// ---------------------------------------------------------------- one machine

/** The capacity of `workers` workers in thousands per second, and how evenly flows use them. */
function workersRow(workers: number, costs: Costs): Record<string, unknown> {
  const evenness = Object.fromEntries(
    [64, 1000, 100_000].map((flows) => [`evenness${flows}`, evennessOf(workers, flows)]),
  );
  const elsewhere = (workers - 1) / workers;
  const kilo = (microseconds: number, of: number) => 1e3 * of / microseconds;
  return {
    workers,
    ...evenness,
    // Three cases: the steering program, the kernel's hash for flows that it knows, and for flows that it does not
    // know.
    segmentsSteered: kilo(costs.segment, workers * evenness["evenness1000"]!),
    segmentsUnknown: kilo(
      costs.segment + elsewhere * costs.hop,
      workers * evenness["evenness1000"]!,
    ),
    // All fragments are reassembled by the first worker, which forwards those of the others.
    datagramsInFragments: kilo(4 * costs.segment + elsewhere * costs.hop, 1),
    connections: kilo(costs.connection, workers * evenness["evenness100000"]!),
    // At level `info` each connection is a line, which the main thread writes; more lines are dropped and counted.
    lines: kilo(costs.line, 1),
    channels: workers * (workers - 1) / 2,
  };
}

/** The mean load of the workers as a share of the highest load, for `flows` equal flows. */
function evennessOf(workers: number, flows: number): number {
  const rounds = Math.max(1, Math.ceil(20_000 / flows));
  const random = seededRandom(workers * 1_000_003 + flows);
  const local = IpAddress.parse("10.0.0.2")!;
  let sum = 0;
  for (let round = 0; round < rounds; round++) {
    const shard = { index: 0, count: workers, seed: [random.uint32(), random.uint32()] as const };
    const counts = new Array<number>(workers).fill(0);
    for (let flow = 0; flow < flows; flow++) {
      const remote = new IpAddress(0, 0, 0xffff, random.uint32());
      const remotePort = 32_768 + random.uint32() % 28_000;
      counts[shardOf(shard, { remote, remotePort, local, localPort: 80 })]!++;
    }
    sum += flows / workers / Math.max(...counts);
  }
  return sum / rounds;
}

// ---------------------------------------------------------------- many machines

/**
 * Thousands of segments a second that each instance can receive while connections are away from their instance, and the
 * shares of a processor that membership takes. Instances have one worker.
 */
function instancesRow(
  instances: number,
  costs: Costs,
  perMember: number,
): Record<string, unknown> {
  const others = instances - 1;
  const moved = movedShare(instances, instances + 1);
  const handOn = costs.seal + costs.datagram;
  const receive = costs.open + costs.datagram + costs.segment;
  // An instance passes on the share `moved` of the segments from the router, and receives as many from other
  // instances.
  const perSegment = (share: number) =>
    share * (costs.segment / 4 + handOn) + share * receive + (1 - share) * costs.segment;
  const limitsOf = (share: number): Limit[] => [
    { limit: "its processor", at: 1e3 / perSegment(share) },
    { limit: "segments handed on, at most 20,000 a second", at: HANDED_PER_SECOND / 1e3 / share },
  ];
  const state = costs.datagram + costs.seal / 4;
  return {
    instances,
    // The number of an instance has six bits of the timestamp.
    possible: instances <= MAX_INSTANCES,
    segmentsAlone: 1e3 / costs.segment,
    movedByMultipath: moved,
    segmentsAfterMultipath: Math.min(...limitsOf(moved).map(({ at }) => at)),
    limitedBy: leastOf(limitsOf(moved)),
    segmentsAfterResilient: Math.min(...limitsOf(1 / (instances + 1)).map(({ at }) => at)),
    resilientLimitedBy: leastOf(limitsOf(1 / (instances + 1))),
    // Without timestamps the instance of every misrouted segment has to be found, which costs a hash for each member.
    microsecondsOfRendezvous: instances * perMember,
    // Shares of a processor of each instance.
    statesOfProcessor: 2 * others * STATES_PER_SECOND * state / 1e6,
    statesOfNetworkMbits: others * instances * STATES_PER_SECOND * 8 * 68 / 1e6,
    broadcastsOfProcessor: 2 * others * BROADCAST_PER_SECOND * (costs.datagram + costs.seal / 4) /
      1e6,
  };
}

/** The share of connections whose instance changes by hash thresholds: equal parts of the hash for each instance. */
function movedShare(before: number, after: number): number {
  let moved = 0;
  for (let i = 0; i < HASHES; i++) {
    const at = (i + 0.5) / HASHES;
    if (Math.floor(at * before) !== Math.floor(at * after)) moved++;
  }
  return moved / HASHES;
}

// ---------------------------------------------------------------- costs

/** A segment in the mailbox of another thread, which takes it out; processor time of both. */
async function hopCost(): Promise<number> {
  const [own, others] = connectMailboxes(2) as [MailboxEnds, MailboxEnds];
  const mailboxes = new Mailboxes(0, own, () => {});
  const worker = new Worker(new URL("./programs/mailbox_reader.ts", import.meta.url), {
    workerData: others,
    transferList: others.ports.filter((port) => port !== undefined),
  });
  const next = () => new Promise<number>((resolve) => worker.once("message", resolve));
  await next();
  const batches = async (count: number) => {
    for (let batch = 0; batch < count; batch++) {
      const answered = next();
      for (let i = 0; i < 64; i++) {
        // A copy, as the stack passes it on.
        const packet = new Uint8Array(PACKET);
        mailboxes.send({ shard: 1, isMessage: false, packet, segmentSize: 0 });
      }
      await answered;
    }
  };
  await batches(100);
  const cost = await processorTimeOf(() => batches(400)) / (400 * 64);
  mailboxes.close();
  await worker.terminate();
  return cost;
}

function lineCost(): number {
  let written = 0;
  const log = createLogger({
    level: "info",
    format: "text",
    write: (text) => written += text.length,
  });
  const waiting = waitingLines();
  const ended = { port: 7, local: "10.0.0.2:7", in: 64, out: 64, ms: 3, end: "closed" };
  let port = 0;
  return timeOf(20_000, () => {
    const fields = { ...ended, plugin: "echo", remote: `10.0.0.1:${port++}` };
    writeWorkerLine({ level: "info", message: "connection", fields }, waiting, 1, log);
  });
}

function messageCosts(): { seal: number; open: number } {
  const key = new Uint8Array(16).fill(7);
  const messages = [0, 1].map((self) => {
    const membership = new Membership(self, 0);
    membership.setMembers([0, 1]);
    return new Messages(self, key, membership);
  });
  const [from, to] = messages as [Messages, Messages];
  const envelope = { to: 1, hops: 1, next: [], segmentSize: 0 };
  const packet = new Uint8Array(PACKET);
  const seal = timeOf(2000, () => from.seal(envelope, packet, PACKET, Date.now()));
  // Each message is accepted once.
  const sealed = Array.from(
    { length: 6 * 2000 },
    () => from.seal(envelope, packet, PACKET, Date.now()).bytes,
  );
  let next = 0;
  const open = timeOf(2000, () => {
    const bytes = sealed[next++]!;
    if (typeof to.open(bytes, bytes.length, 1, Date.now()) === "string") throw new Error("refused");
  });
  return { seal, open };
}

function candidateCost(instances: number): number {
  const membership = new Membership(0, 0);
  membership.setMembers(Array.from({ length: Math.min(instances, MAX_INSTANCES) }, (_, i) => i));
  let hash = 1;
  const cost = timeOf(5000, () => membership.candidates(hash = Math.imul(hash, 48_271), 1));
  return cost * instances / Math.min(instances, MAX_INSTANCES);
}

/** Microseconds per call: the minimum of five runs, after `count` calls to warm up. */
function timeOf(count: number, call: () => unknown): number {
  let least = Infinity;
  for (let run = 0; run < 6; run++) {
    const began = process.cpuUsage();
    for (let i = 0; i < count; i++) call();
    const { user, system } = process.cpuUsage(began);
    if (run > 0) least = Math.min(least, (user + system) / count);
  }
  return least;
}

async function processorTimeOf(act: () => Promise<void>): Promise<number> {
  const began = process.cpuUsage();
  await act();
  const { user, system } = process.cpuUsage(began);
  return user + system;
}

function leastOf(limits: readonly Limit[]): string {
  return limits.reduce((one, other) => other.at < one.at ? other : one).limit;
}

function rounded<T extends Record<string, unknown>>(row: T): T {
  return Object.fromEntries(
    Object.entries(row).map(([name, value]) => [
      name,
      typeof value === "number" ? Number(value.toPrecision(3)) : value,
    ]),
  ) as T;
}

await main();
