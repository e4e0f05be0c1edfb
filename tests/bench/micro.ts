/**
 * Micro-benchmarks within one process: bulk transfers between two cores in virtual time, small
 * exchanges, parsing and writing headers, and the checksum. Prints a line of JSON for each.
 *
 *     deno run -A --v8-flags=--expose-gc tests/bench/micro.ts
 *     bun tests/bench/micro.ts
 *
 * @module
 */
import process from "node:process";
import { EventLogs } from "../../core/stack/tcp/event_logs.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { addBytes } from "../../core/wire/checksum.ts";
import { emitIp, IpHeader, parseIp, PROTOCOL } from "../../core/wire/ip.ts";
import { summedMemory } from "../../core/wire/summed_memory.ts";
import { emitTcpHeader, FLAG, parseTcp, Segment } from "../../core/wire/tcp.ts";
import { CorePair, type Shape } from "./core_pair.ts";
import { usedMemory } from "./garbage.ts";
import { median, report } from "./report.ts";

type Figures = Readonly<Record<string, number | undefined>>;

const ROUNDS = 9;
const MESSAGE = 64;
/** Few enough exchanges that no garbage collection occurs. */
const UNCOLLECTED = 500;
const CHECKS = 20_000_000;

const SHAPES: readonly { name: string; shape: Shape }[] = [
  { name: "MTU 1500, checksums", shape: { maxSuperPacket: 0, checksumOffload: false } },
  { name: "MTU 1500, no checksums", shape: { maxSuperPacket: 0, checksumOffload: true } },
  { name: "super-packets", shape: { maxSuperPacket: 65_535, checksumOffload: true } },
];

async function main(): Promise<void> {
  for (const { name, shape } of SHAPES) {
    for (const profile of ["local", "internet"] as const) {
      const pair = new CorePair(profile, shape);
      report("bulk through the core", { link: name, profile, ...await bulk(pair) });
    }
  }
  const pair = new CorePair("local", SHAPES[1]!.shape);
  report("64 bytes there and back", { ...await exchange(pair) });
  report("headers", { ...headers() });
  report("event logs that nobody reads", { nanosecondsPerCheck: checkOfLogs() });
  for (const size of [20, 1448, 65_535]) {
    report("checksum", { memory: "ordinary", size, ...checksum(new Uint8Array(size)) });
    report("checksum", { memory: "summed", size, ...checksum(summedMemory(size)) });
  }
}

/** From one core's send ring to the other core's reader. */
async function bulk(pair: CorePair): Promise<Figures> {
  const bytes = 32 * 1024 * 1024;
  const rates: number[] = [];
  let segments = 0;
  for (let round = 0; round < ROUNDS; round++) {
    const before = pair.segments;
    const began = performance.now();
    pair.move(bytes);
    rates.push(bytes * 8 / (performance.now() - began) / 1e6);
    segments = pair.segments - before;
  }
  const gigabits = median(rates);
  const heap = await heapOf(() => {
    const before = pair.segments;
    pair.move(UNCOLLECTED * 1460);
    return pair.segments - before;
  });
  return {
    gigabitsPerSecond: round(gigabits),
    segmentsPerSecond: Math.round(gigabits * 1e9 / 8 / (bytes / segments)),
    heapPerSegment: heap,
  };
}

/** A request and its reply, each read by the receiving application. */
async function exchange(pair: CorePair): Promise<Figures> {
  const times = 20_000;
  const rates = Array.from({ length: ROUNDS }, () => {
    const began = performance.now();
    for (let i = 0; i < times; i++) pair.exchange(MESSAGE);
    return times / (performance.now() - began) * 1000;
  });
  const heap = await heapOf(() => {
    for (let i = 0; i < UNCOLLECTED; i++) pair.exchange(MESSAGE);
    return UNCOLLECTED;
  });
  return { perSecond: Math.round(median(rates)), heapEach: heap };
}

/**
 * Heap allocated by one step of `run`, in bytes; the median, since a collection may occur. There is
 * no figure on Bun, which reports the heap only after a collection.
 */
async function heapOf(run: () => number): Promise<number | undefined> {
  if (process.versions.bun !== undefined) return undefined;
  const figures: number[] = [];
  for (let round = 0; round < ROUNDS; round++) {
    await usedMemory();
    const before = process.memoryUsage().heapUsed;
    const steps = run();
    figures.push((process.memoryUsage().heapUsed - before) / steps);
  }
  return round(Math.max(0, median(figures)));
}

function headers(): Readonly<Record<string, number>> {
  const packet = new Uint8Array(40);
  const [source, destination] = [IpAddress.parse("10.0.0.1")!, IpAddress.parse("10.0.0.2")!];
  const fields = {
    protocol: PROTOCOL.TCP,
    payloadLength: 20,
    hopLimit: 64,
    trafficClass: 0,
    identification: 0,
  };
  const emit = () => {
    emitIp(packet, 0, source, destination, fields);
    emitTcpHeader(packet, 20, {
      sourcePort: 7,
      destinationPort: 8,
      seq: 1,
      ack: 2,
      flags: FLAG.ACK,
      window: 1000,
      optionsLength: 0,
    });
  };
  const [ip, segment] = [new IpHeader(), new Segment()];
  const parse = () => {
    parseIp(packet, packet.length, ip);
    parseTcp(packet, ip.payloadStart, ip.payloadEnd, segment);
  };
  return { emitNanoseconds: nanoseconds(emit), parseNanoseconds: nanoseconds(parse) };
}

/**
 * The cost of checking whether a connection has an event log, including the loop around the check. It is the minimum
 * processor time of several rounds, because other programs' noise is larger than the check. There are several stacks,
 * because the compiler would make the check only once for a single one.
 */
function checkOfLogs(): number {
  const stacks = Array.from({ length: 16 }, () => new EventLogs());
  let empty = 0;
  const figures = Array.from({ length: ROUNDS }, () => {
    const before = process.cpuUsage();
    for (let i = 0; i < CHECKS; i++) if (stacks[i & 15]!.isEmpty) empty++;
    const { user, system } = process.cpuUsage(before);
    return (user + system) * 1000 / CHECKS;
  });
  if (empty !== ROUNDS * CHECKS) throw new Error("there are logs");
  return Math.round(Math.min(...figures) * 100) / 100;
}

function checksum(bytes: Uint8Array): Readonly<Record<string, number>> {
  const size = bytes.fill(0xa5).length;
  let sum = 0;
  const time = nanoseconds(() => sum = (sum + addBytes(0, bytes, 0, size)) % 7);
  return { nanoseconds: time, gigabitsPerSecond: round(size * 8 / time) };
}

function nanoseconds(step: () => void): number {
  const times = 100_000;
  for (let i = 0; i < times; i++) step();
  const figures = Array.from({ length: ROUNDS }, () => {
    const began = performance.now();
    for (let i = 0; i < times / 5; i++) step();
    return (performance.now() - began) * 1e6 / (times / 5);
  });
  return round(median(figures));
}

function round(value: number): number {
  return Math.round(value * 10) / 10;
}

await main();
