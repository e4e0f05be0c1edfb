/**
 * Moves all connections back and forth between two processes, while their clients send and check echoes over a path
 * with loss:
 *
 *     moves.ts [--connections 10000] [--seconds 60] [--loss 0.01] [--everyMs 10000]
 *
 * Prints a line of JSON: how long connections were frozen, wrong bytes, resets.
 *
 * @module
 */
import { spawn } from "node:child_process";
import process from "node:process";
import { parseArgs } from "node:util";
import { impair } from "../../adapters/links/decorators/impair.ts";
import { openUdpLink } from "../../adapters/links/udp.ts";
import { systemClock } from "../../core/api/environment.ts";
import { createStack } from "../../core/api/stack.ts";
import type { TcpSocket } from "../../core/api/types.ts";
import type { Link } from "../../core/stack/link.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import type { MovingServerOptions } from "./programs/moving_server.ts";
import { report } from "./report.ts";

const { values } = parseArgs({
  options: {
    connections: { type: "string", default: "10000" },
    seconds: { type: "string", default: "60" },
    loss: { type: "string", default: "0.01" },
    everyMs: { type: "string", default: "10000" },
  },
});
const CONNECTIONS = Number(values.connections);
const SECONDS = Number(values.seconds);
const LOSS = Number(values.loss);
/** Ports of this machine: the client's two links, and the servers'. */
const PORTS = { client: [23_101, 23_102], server: [23_103, 23_104] } as const;
const MESSAGE = 64;
/** Each connection sends a message in this time. */
const EVERY_MS = Number(values.everyMs);
const TICKS = 100;
/** A connection without an echo for this long hangs: longer than the last retransmission may take. */
const QUIET_MS = 60_000;

/** Sends to one of two links, and receives from both. */
class RoutedLink implements Link {
  readonly name = "routed";
  readonly features: Link["features"];
  to: 0 | 1 = 0;
  readonly #links: readonly [Link, Link];
  #ready: Promise<boolean>[] = [];

  constructor(links: readonly [Link, Link]) {
    this.#links = links;
    this.features = links[0].features;
  }

  receive(batch: Parameters<Link["receive"]>[0]): number {
    return this.#links[0].receive(batch) || this.#links[1].receive(batch);
  }

  async ready(): Promise<boolean> {
    for (const i of [0, 1] as const) this.#ready[i] ??= this.#links[i].ready();
    const first = await Promise.race(
      this.#ready.map((each, i) => each.then((open) => ({ i, open }))),
    );
    this.#ready[first.i] = undefined as never;
    return first.open;
  }

  send(packet: Parameters<Link["send"]>[0]): boolean {
    return this.#links[this.to].send(packet);
  }

  async close(): Promise<void> {
    for (const link of this.#links) await link.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}

/** A server process. */
class Server {
  readonly socket: string;
  readonly #child: ReturnType<typeof spawn>;
  #out = "";
  #heard = () => {};

  constructor(index: 0 | 1, folder: TemporaryFolder, secretFile: string) {
    this.socket = folder.file(`moves${index}.sock`);
    const options: MovingServerOptions = {
      local: `127.0.0.1:${PORTS.server[index]}`,
      remote: `127.0.0.1:${PORTS.client[index]}`,
      address: "10.0.0.1/24",
      secretFile,
      listen: this.socket,
    };
    const program = new URL("programs/moving_server.ts", import.meta.url).pathname;
    const run = process.versions["bun"] === undefined ? ["run", "-A", program] : [program];
    this.#child = spawn(process.execPath, [...run, JSON.stringify(options)], {
      stdio: ["pipe", "pipe", "inherit"],
    });
    this.#child.stdout!.setEncoding("utf8").on("data", (text: string) => {
      this.#out += text;
      this.#heard();
    });
  }

  async line(pattern: RegExp): Promise<string> {
    for (;;) {
      const match = pattern.exec(this.#out);
      if (match !== null) {
        this.#out = "";
        return match[1] ?? "";
      }
      await new Promise<void>((resolve) => this.#heard = resolve);
    }
  }

  say(line: string): void {
    this.#child.stdin!.write(`${line}\n`);
  }

  end(): void {
    this.#child.stdin!.end();
  }
}

/** One connection, whose echoes are checked. */
class Client {
  #sent = 0;
  #received = 0;
  wrong = 0;
  fault: string | undefined;
  readonly #socket: TcpSocket;

  constructor(socket: TcpSocket) {
    this.#socket = socket;
    void this.#read();
  }

  /** Bytes of echoes. */
  get received(): number {
    return this.#received;
  }

  get outstanding(): number {
    return this.#sent - this.#received;
  }

  send(): void {
    if (this.fault !== undefined || this.outstanding > 4 * MESSAGE) return;
    const message = Uint8Array.from({ length: MESSAGE }, (_, i) => (this.#sent + i) & 0xff);
    this.#sent += MESSAGE;
    this.#socket.write(message).catch(() => {});
  }

  async #read(): Promise<void> {
    const target = new Uint8Array(4 * MESSAGE);
    try {
      for (let count; (count = await this.#socket.read(target)) !== null;) {
        for (let i = 0; i < count; i++) {
          if (target[i] !== ((this.#received + i) & 0xff)) this.wrong++;
        }
        this.#received += count;
      }
      this.fault = "it has ended";
    } catch (error) {
      this.fault = (error as { code?: string }).code ?? String(error);
    }
  }
}

const folder = new TemporaryFolder();
const secretFile = folder.write("secret", "a secret of more than thirty-two characters");
const servers = [new Server(0, folder, secretFile), new Server(1, folder, secretFile)] as const;
for (const server of servers) await server.line(/listening/);
const open = (index: 0 | 1) =>
  openUdpLink({
    local: `127.0.0.1:${PORTS.client[index]}`,
    remote: `127.0.0.1:${PORTS.server[index]}`,
    queue: 65_536,
  });
const routed = new RoutedLink([await open(0), await open(1)]);
const lossy = impair(routed, {
  clock: systemClock,
  seed: 1,
  loss: LOSS,
  queue: 65_536,
  incoming: { loss: LOSS },
});
const stack = createStack({
  link: lossy,
  addresses: ["10.0.0.2/24"],
  tcp: { profile: "internet" },
});

const clients: Client[] = [];
while (clients.length < CONNECTIONS) {
  const sockets = Array.from(
    { length: Math.min(1000, CONNECTIONS - clients.length) },
    () => stack.connect("10.0.0.1:7"),
  );
  await Promise.all(sockets.map(({ opened }) => opened));
  clients.push(...sockets.map((socket) => new Client(socket)));
}

let tick = 0;
const timer = setInterval(() => {
  for (let i = tick++ % TICKS; i < clients.length; i += TICKS) clients[i]!.send();
}, EVERY_MS / TICKS);

interface Move {
  readonly moved: number;
  readonly stayed: number;
  readonly lost: number;
  readonly pauseMs: { readonly p50: number; readonly p99: number; readonly max: number };
}

const moves: (Move & { readonly ms: number })[] = [];
const until = performance.now() + SECONDS * 1000;
await new Promise((resolve) => setTimeout(resolve, 2000));
while (performance.now() < until) {
  const from = servers[routed.to];
  const to = routed.to === 0 ? 1 : 0;
  const began = performance.now();
  from.say(`unix:${servers[to].socket}`);
  const move = JSON.parse(await from.line(/report (.*)\n/)) as Move;
  moves.push({ ...move, ms: performance.now() - began });
  // All connections have the same route.
  if (move.stayed > 0) continue;
  routed.to = to;
  // The first server passes on packets that still reach it.
  await new Promise((resolve) => setTimeout(resolve, 1000));
  from.say("release");
  await new Promise((resolve) => setTimeout(resolve, 1000));
}
clearInterval(timer);
// Waits as long as echoes arrive, because lost packets are retransmitted and an overloaded machine has queued
// packets.
const stopped = performance.now();
const isWaiting = () => clients.some((each) => each.outstanding > 0);
for (let before = -1, quiet = performance.now(); isWaiting();) {
  const received = clients.reduce((sum, each) => sum + each.received, 0);
  if (received !== before) quiet = performance.now();
  else if (performance.now() - quiet > QUIET_MS) break;
  before = received;
  await new Promise((resolve) => setTimeout(resolve, 200));
}
const lastEchoMs = Math.round(performance.now() - stopped);
const worst = (of: (move: Move) => number) => Math.max(...moves.map(of));
report("moves", {
  connections: CONNECTIONS,
  messagesPerSecond: Math.round(CONNECTIONS / EVERY_MS * 1000),
  loss: LOSS,
  seconds: SECONDS,
  moves: moves.length,
  connectionsMoved: moves.reduce((sum, { moved }) => sum + moved, 0),
  lost: moves.reduce((sum, { lost }) => sum + lost, 0),
  stayedAtMost: worst(({ stayed }) => stayed),
  pauseP50Ms: worst(({ pauseMs }) => pauseMs.p50),
  pauseP99Ms: worst(({ pauseMs }) => pauseMs.p99),
  pauseMaxMs: worst(({ pauseMs }) => pauseMs.max),
  moveMs: Math.round(Math.max(...moves.map(({ ms }) => ms))),
  wrongBytes: clients.reduce((sum, { wrong }) => sum + wrong, 0),
  lastEchoMs,
  unanswered: clients.filter((each) => each.outstanding > 0).length,
  faults: clients.flatMap(({ fault }) => fault ?? []).length,
});
for (const server of servers) server.end();
folder[Symbol.dispose]();
process.exit(0);
