/**
 * Many connections at once through a TUN device, from clients on kernel sockets: `held.ts
 * [CONNECTIONS]`. Prints two lines of JSON: the cost of held connections, and what happens when all
 * clients end at once. All bytes are checked; a connection that fails is a failure of the
 * benchmark. Needs root or user namespaces, and Bun for the clients.
 *
 * @module
 */
import process from "node:process";
import { Namespace } from "../support/namespace.ts";
import { type Program, runtimeCommand } from "../support/program.ts";
import { requires } from "../support/requirements.ts";
import { findRuntime } from "../support/runtimes.ts";
import type { Used } from "./garbage.ts";
import type { HeldCounts } from "./programs/held_server.ts";
import { median, report } from "./report.ts";

/** Number of connections at the first measurement. */
const BASELINE = 100;
const CHURN = 1000;
const CHURN_ROUNDS = 5;
/** Number of connections for warming up the compilers. */
const WARM_UP = 20_000;
/** Connections per client process, below every system's limit of descriptors. */
const PER_PROCESS = 16_000;
const SERVER = "10.90.0.2";
const FIRST_PORT = 1000;
const PORTS_PER_PROCESS = 4;
/** After this time the timers of the handshakes have expired. */
const SETTLED_MS = 1500;
/** Time limit of a program's answer. */
const ANSWER_MS = 300_000;
/** Number of unanswered probes after which a client counts as gone. */
const PROBES = 9;

async function main(): Promise<void> {
  const available = requires("tun", "program:ip", "program:nsenter");
  if (!available.ok) throw new Error(`This benchmark ${available.reason}`);
  const connections = Number(process.argv[2] ?? 100_000);
  report("connections held", { connections, ...await measureHeld(connections) });
  report("connections reset at once", { connections, ...await measureReset(connections) });
}

/** Measures the cost of open connections; none may be left at the end. */
async function measureHeld(connections: number): Promise<Readonly<Record<string, number>>> {
  await using namespace = await Namespace.open();
  // By default the last timer of a connection expires after a minute.
  const server = await Server.start(namespace, { ackStallMs: SETTLED_MS / 3 });
  const clients = await Clients.start(namespace, connections);
  await clients.churn(Math.min(WARM_UP, 10 * connections));
  const before = await server.memory();
  const few = Math.min(BASELINE, connections / 2);
  await clients.open(few);
  const microsecondsAmongFew = await server.churn(clients);
  const opening = await server.during(() => clients.open(connections));
  await clients.all("echo");
  await sleep(SETTLED_MS);
  const after = await server.memory();
  const microsecondsAmongAll = await server.churn(clients);
  await clients.all("echo");
  await server.expectConnections(connections);
  const closing = await server.during(async () => {
    await clients.all("close");
    await server.untilGone(SETTLED_MS);
  });
  const each = (bytes: number) => Math.round(bytes / connections);
  return {
    bytesEach: each(after.heap + after.external - before.heap - before.external),
    heapEach: each(after.heap - before.heap),
    externalEach: each(after.external - before.external),
    residentEach: each(after.resident - before.resident),
    microsecondsAmongFew,
    microsecondsAmongAll,
    openMicrosecondsEach: Math.round(opening / (connections - few)),
    closeMicrosecondsEach: each(closing),
  };
}

/**
 * Measures the end of all clients at once. Most of their RSTs overflow the device's queue, so keep-alive ends those
 * connections.
 */
async function measureReset(connections: number): Promise<Readonly<Record<string, number>>> {
  await using namespace = await Namespace.open();
  // At most ten probes a millisecond.
  const keepAliveIdleMs = Math.max(1000, connections / 10);
  const keepAlive = { keepAlive: true, keepAliveIdleMs, keepAliveProbes: PROBES };
  const keepAliveIntervalMs = keepAliveIdleMs / 10;
  const server = await Server.start(namespace, { ...keepAlive, keepAliveIntervalMs });
  const clients = await Clients.start(namespace, connections);
  await clients.churn(CHURN);
  const empty = await server.memory();
  await clients.open(connections);
  await clients.all("echo");
  const before = await server.count();
  // Every connection is probed at least once and has to survive.
  await sleep(1.5 * keepAliveIdleMs);
  const after = await server.count();
  const full = await server.memory();
  await clients.all("echo");
  await server.expectConnections(connections);
  const began = performance.now();
  await clients.all("reset");
  await sleep(keepAliveIdleMs / 2);
  const { connections: stayed } = await server.count();
  // Twice the time until the last probe, for a busy machine.
  await server.untilGone(2 * (keepAliveIdleMs + PROBES * keepAliveIntervalMs));
  const bytes = full.heap + full.external - empty.heap - empty.external;
  return {
    bytesEach: Math.round(bytes / connections),
    probesWhileIdle: after.packetsOut - before.packetsOut,
    stayed,
    secondsUntilGone: Math.round((performance.now() - began) / 100) / 10,
  };
}

/** A program that answers each line with a line of JSON. */
class Servant {
  readonly #program: Program;
  #lines = 1;

  constructor(program: Program) {
    this.#program = program;
  }

  static async start(namespace: Namespace, command: readonly string[]): Promise<Servant> {
    const program = namespace.start(...command);
    await program.printed(/^ready\n/);
    return new Servant(program);
  }

  async ask<Answer>(line: string): Promise<Answer> {
    this.#program.say(`${line}\n`);
    const limit = setTimeout(() => this.#program.signal("SIGKILL"), ANSWER_MS);
    const [, answer] = await this.#program.printed(
      new RegExp(`^(?:.*\\n){${this.#lines++}}(.*)\\n`),
    );
    clearTimeout(limit);
    return JSON.parse(answer!);
  }
}

/** The service. */
class Server {
  readonly #servant: Servant;

  private constructor(servant: Servant) {
    this.#servant = servant;
  }

  /** Runs on this runtime. */
  static async start(namespace: Namespace, tcp: object): Promise<Server> {
    const command = runtimeCommand("tests/bench/programs/held_server.ts", JSON.stringify(tcp));
    if (command[1] === "run") command.splice(2, 0, "--v8-flags=--expose-gc");
    return new Server(await Servant.start(namespace, command));
  }

  memory(): Promise<Used> {
    return this.#servant.ask("memory");
  }

  count(): Promise<HeldCounts> {
    return this.#servant.ask("count");
  }

  /** Microseconds of its CPU time during an action. */
  async during(action: () => Promise<void>): Promise<number> {
    const { processorTime } = await this.count();
    await action();
    return (await this.count()).processorTime - processorTime;
  }

  /** The same for opening, using and closing another connection. */
  async churn(clients: Clients): Promise<number> {
    const rounds: number[] = [];
    for (let round = 0; round < CHURN_ROUNDS; round++) {
      rounds.push(await this.during(() => clients.churn(CHURN)) / CHURN);
    }
    return Math.round(median(rounds) * 10) / 10;
  }

  async expectConnections(count: number): Promise<void> {
    const { connections } = await this.count();
    if (connections !== count) throw new Error(`${connections} connections, not ${count}`);
  }

  /** Resolves when no connection is left. */
  async untilGone(limitMs: number): Promise<void> {
    const end = performance.now() + limitMs;
    for (;;) {
      const { connections, timers } = await this.count();
      if (connections + timers === 0) return;
      if (performance.now() > end) {
        throw new Error(`${connections} connections and ${timers} timers are left`);
      }
      await sleep(100);
    }
  }
}

/** Processes of clients. */
class Clients {
  readonly #servants: readonly Servant[];

  private constructor(servants: readonly Servant[]) {
    this.#servants = servants;
  }

  /** Starts as many processes as needed. */
  static async start(namespace: Namespace, connections: number): Promise<Clients> {
    const { executable } = findRuntime("Bun");
    const count = Math.ceil(connections / PER_PROCESS);
    const servants = Array.from({ length: count }, (_, index) => {
      const port = String(FIRST_PORT + index * PORTS_PER_PROCESS);
      const program = "tests/bench/programs/held_clients.ts";
      // The default limit of a shell is lower on many systems.
      const raise = ["sh", "-c", 'ulimit -n "$(ulimit -Hn)"; exec "$@"', "sh"];
      return Servant.start(namespace, [...raise, executable, program, SERVER, port]);
    });
    return new Clients(await Promise.all(servants));
  }

  /** Opens connections up to `count`. */
  async open(connections: number): Promise<void> {
    await Promise.all(this.#servants.map((servant, index) => {
      const rest = connections - index * PER_PROCESS;
      return rest > 0 ? order(servant, `open ${Math.min(PER_PROCESS, rest)}`) : undefined;
    }));
  }

  /** Opens, uses and closes `count` more, in one process. */
  churn(connections: number): Promise<void> {
    return order(this.#servants[0]!, `churn ${connections}`);
  }

  /** Uses every connection. */
  async all(what: "echo" | "close" | "reset"): Promise<void> {
    await Promise.all(this.#servants.map((servant) => order(servant, what)));
  }
}

/** Gives a command to a program; no connection may fail. */
async function order(servant: Servant, line: string): Promise<void> {
  const { failures, first } = await servant.ask<{ failures: number; first?: string }>(line);
  if (failures > 0) throw new Error(`${line}: ${failures} failed: ${first}`);
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
