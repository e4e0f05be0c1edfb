/**
 * The cost of idle connections: two stacks in this process on a link in memory, all connections
 * ESTABLISHED. Prints a line of JSON for each profile and owner of the server's sockets: the memory
 * of one end of a connection in bytes, and the CPU time to open and close another one while the
 * others are open, in microseconds.
 *
 *     deno run -A --v8-flags=--expose-gc tests/bench/memory.ts [CONNECTIONS]
 *     bun tests/bench/memory.ts [CONNECTIONS]
 *
 * @module
 */
import process from "node:process";
import { linkPair } from "../../adapters/links/memory.ts";
import { createStack } from "../../core/api/stack.ts";
import type { Stack, TcpSocket } from "../../core/api/types.ts";
import { usedMemory } from "./garbage.ts";
import { median, report } from "./report.ts";

/** A connection's profile. */
type Profile = "local" | "internet";
/** Owner of the server's sockets: a program that accepted them, or handlers waiting for data. */
type Owner = "program" | "handlers";

/** Number of connections at the first measurement. */
const BASELINE = 100;
const AT_ONCE = 256;
/** After this time the timers of the handshakes have expired. */
const SETTLED_MS = 1500;
/** Number of connections per server port. */
const PER_PORT = 40_000;
const FIRST_PORT = 1000;
const FIRST_LOCAL_PORT = 10_000;
const CHURN = 2000;
const CHURN_PORT = 7;

async function main(): Promise<void> {
  const connections = Number(process.argv[2] ?? 100_000);
  for (const profile of ["local", "internet"] as const) {
    for (const owner of ["program", "handlers"] as const) {
      report("memory", { profile, owner, ...await measure(profile, owner, connections) });
    }
  }
}

async function measure(
  profile: Profile,
  owner: Owner,
  connections: number,
): Promise<Readonly<Record<string, number>>> {
  const crowd = new Crowd(profile, owner);
  await crowd.churn(CHURN);
  const before = await usedMemory();
  await crowd.grow(BASELINE);
  const microsecondsAmongFew = await crowd.churn(CHURN);
  await crowd.grow(connections);
  await new Promise((resolve) => setTimeout(resolve, SETTLED_MS));
  const after = await usedMemory();
  const microsecondsAmongAll = await crowd.churn(CHURN);
  await crowd.close();
  const each = (bytes: number) => Math.round(bytes / connections / 2);
  return {
    connections,
    bytesEach: each(after.heap + after.external - before.heap - before.external),
    heapEach: each(after.heap - before.heap),
    externalEach: each(after.external - before.external),
    residentEach: each(after.resident - before.resident),
    microsecondsAmongFew,
    microsecondsAmongAll,
  };
}

/** Many connections between two stacks. */
class Crowd {
  readonly #client: Stack;
  readonly #server: Stack;
  readonly #owner: Owner;
  readonly #clients: TcpSocket[] = [];
  readonly #servers: TcpSocket[] = [];
  #ports = 0;

  constructor(profile: Profile, owner: Owner) {
    const [left, right] = linkPair({ queue: 4096 });
    const tcp = { profile } as const;
    this.#client = createStack({ link: left, addresses: ["10.0.0.1/24"], tcp, maxTimeWait: 1 });
    this.#server = createStack({ link: right, addresses: ["10.0.0.2/24"], tcp, maxTimeWait: 1 });
    this.#owner = owner;
    this.#server.use(CHURN_PORT, waitForEnd);
  }

  /** Opens connections up to `count`. */
  async grow(count: number): Promise<void> {
    while (this.#clients.length < count) {
      const opened: Promise<unknown>[] = [];
      for (let i = 0; i < AT_ONCE && this.#clients.length < count; i++) opened.push(this.#open());
      await Promise.all(opened);
    }
  }

  #open(): Promise<unknown> {
    const index = this.#clients.length;
    if (index === this.#ports * PER_PORT) this.#serve(FIRST_PORT + this.#ports++);
    const port = FIRST_PORT + Math.floor(index / PER_PORT);
    const localPort = FIRST_LOCAL_PORT + index % PER_PORT;
    const socket = this.#client.connect(`10.0.0.2:${port}`, { localPort });
    this.#clients.push(socket);
    return socket.opened;
  }

  #serve(port: number): void {
    if (this.#owner === "handlers") this.#server.use(port, waitForEnd);
    else void this.#accept(port);
  }

  async #accept(port: number): Promise<void> {
    for await (const socket of this.#server.listen({ port })) this.#servers.push(socket);
  }

  /**
   * Opens and closes connections one after the other; returns the CPU time of one in microseconds,
   * the median of ten rounds.
   */
  async churn(count: number): Promise<number> {
    const rounds: number[] = [];
    for (let round = 0; round < 10; round++) {
      const began = process.cpuUsage();
      for (let i = 0; i < count / 10; i++) {
        const socket = this.#client.connect(`10.0.0.2:${CHURN_PORT}`);
        await socket.opened;
        await socket.closeWrite();
        await socket.close();
      }
      const { user, system } = process.cpuUsage(began);
      rounds.push((user + system) * 10 / count);
    }
    return Math.round(median(rounds) * 10) / 10;
  }

  async close(): Promise<void> {
    this.#clients.length = this.#servers.length = 0;
    await Promise.all([this.#client.close(), this.#server.close()]);
  }
}

/** The array is shared, so that only the stack is measured. */
const NOTHING = new Uint8Array(16);

async function waitForEnd({ socket }: { socket: TcpSocket }): Promise<void> {
  while (await socket.read(NOTHING) !== null);
}

await main();
