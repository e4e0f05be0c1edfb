/**
 * Clients that never stop: `steady_clients.ts JSON`, see {@link SteadyClientOptions}. Some connections to an
 * echo service stay open and check every byte, others are opened one after another; a UDP socket does the
 * same. When stdin is closed, prints a {@link SteadyClientResult}.
 *
 * @module
 */
import { createSocket } from "node:dgram";
import { isIPv6 } from "node:net";
import process from "node:process";
import { EchoClient } from "./echo_client.ts";

/** Options of the program. */
export interface SteadyClientOptions {
  readonly hosts: readonly string[];
  readonly port: number;
  /** Connections that stay open. */
  readonly held: number;
  /** Number of connections at the same time that are opened and closed again and again. */
  readonly fresh: number;
  /** Bytes of a message. */
  readonly bytes: number;
  /** Whether to send datagrams too. */
  readonly udp: boolean;
}

/** What happened. */
export interface SteadyClientResult {
  /** Messages echoed on connections that stay open, the number on the least busy one, and faults. */
  readonly exchanges: number;
  readonly fewest: number;
  /** Connections opened in addition, the slowest in milliseconds. */
  readonly connects: number;
  readonly slowestConnectMs: number;
  readonly datagrams: number;
  readonly lostDatagrams: number;
  readonly faults: readonly string[];
}

const DATAGRAM_LIMIT_MS = 3000;
const PAUSE_MS = 2;
const options: SteadyClientOptions = JSON.parse(process.argv[2] ?? "{}");
const { hosts, port, held, fresh, bytes, udp } = options;
const faults: string[] = [];
const counts = new Array<number>(held).fill(0);
let [isOver, connects, slowestConnectMs, datagrams, lostDatagrams] = [false, 0, 0, 0, 0];

const all = [
  ...Array.from({ length: held }, (_, i) => stay(i)),
  ...Array.from({ length: fresh }, (_, i) => comeAndGo(i)),
  ...udp ? hosts.map(exchangeDatagrams) : [],
];
let isRunning = false;
process.stdin.resume();
process.stdin.once("end", () => isOver = true);
process.stdin.once("close", () => isOver = true);
await Promise.all(all);
console.log(JSON.stringify(
  {
    exchanges: counts.reduce((sum, count) => sum + count, 0),
    fewest: Math.min(...counts),
    connects,
    slowestConnectMs: Math.round(slowestConnectMs),
    datagrams,
    lostDatagrams,
    faults: faults.slice(0, 20),
  } satisfies SteadyClientResult,
));
process.exit(0);

/** Keeps one connection open from the start to the end. */
async function stay(index: number): Promise<void> {
  try {
    const client = await EchoClient.open(hosts[index % hosts.length]!, port);
    // The last message follows the end: a connection that its server has lost is noticed by sending.
    for (let isLast = false; !isLast;) {
      isLast = isOver;
      await client.exchange(bytes);
      counts[index]!++;
      if (!isRunning && counts.every((count) => count > 0)) {
        isRunning = true;
        console.log("running");
      }
      await pause();
    }
    client.close();
  } catch (error) {
    faults.push(`held connection ${index} after ${counts[index]} messages: ${error}`);
  }
}

/** Opens and closes connections one after another. */
async function comeAndGo(index: number): Promise<void> {
  while (!isOver) {
    const began = performance.now();
    try {
      const client = await EchoClient.open(hosts[index % hosts.length]!, port);
      slowestConnectMs = Math.max(slowestConnectMs, performance.now() - began);
      await client.exchange(bytes);
      client.close();
      connects++;
    } catch (error) {
      faults.push(`new connection ${connects}: ${error}`);
      if (faults.length > 20) return;
    }
    await pause();
  }
}

/** Exchanges the datagrams of a flow. A datagram that is not answered in time is lost, which UDP permits. */
async function exchangeDatagrams(host: string): Promise<void> {
  const socket = createSocket(isIPv6(host) ? "udp6" : "udp4");
  let expected = -1;
  let wake = (_isAnswered: boolean) => {};
  socket.on("message", (message) => {
    if (message.readInt32BE(0) === expected) wake(true);
  });
  socket.on("error", (error) => faults.push(`datagrams to ${host}: ${error}`));
  while (!isOver) {
    expected = datagrams++;
    const message = Buffer.alloc(100);
    message.writeInt32BE(expected, 0);
    const answer = new Promise<boolean>((resolve) => wake = resolve);
    const limit = setTimeout(() => wake(false), DATAGRAM_LIMIT_MS);
    socket.send(message, port, host);
    if (!await answer) lostDatagrams++;
    clearTimeout(limit);
    await pause();
  }
  socket.close();
}

function pause(): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, PAUSE_MS));
}
