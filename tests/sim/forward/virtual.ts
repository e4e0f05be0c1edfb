/**
 * Connections through `forward`, between three hosts in virtual time.
 *
 * @module
 */
import { impair } from "../../../adapters/links/decorators/impair.ts";
import { linkPair } from "../../../adapters/links/memory.ts";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import { sleepUntil } from "../../../core/api/environment.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Link } from "../../../core/stack/link.ts";
import type { OpenConnection, Stack, TcpListener } from "../../../core/api/types.ts";
import { forwardThrough } from "../../../plugins/forward.ts";
import type { Duplex } from "../../../plugins/shared/relay.ts";
import { Dice } from "../../fuzz/dice.ts";
import { tcpOnly } from "../../plugins/forward/fake_targets.ts";
import {
  type ConnectionPlan,
  type Ending,
  judge,
  planConnection,
  playSide,
  type SideResult,
} from "./close_orders.ts";
import { readHeader } from "./header.ts";
import { KernelSocket } from "./kernel_socket.ts";

/** Options of the simulation. */
export interface CloseOrderOptions {
  readonly seed: number;
  readonly connections: number;
  /** Number of concurrent connections. */
  readonly atOnce: number;
  readonly profile: "local" | "internet";
  /** Packet loss rate on each link and direction. */
  readonly loss: number;
  /** How sides end that do not end gracefully. */
  readonly endings: readonly Ending[];
  /** Average time after which all connections move to another process of the forwarder; absent if they stay. */
  readonly moveMs?: number;
}

/** Result of the simulation. */
export interface CloseOrderOutcome {
  /** Number of connections whose sides both ended gracefully. */
  readonly orderly: number;
  /** Errors, one line each. */
  readonly faults: readonly string[];
  /** Number of connections left in a stack at the end. */
  readonly left: number;
  /** Number of moves. */
  readonly moves: number;
}

/** The first local port of the clients; each has its own, which identifies it to the server. */
const FIRST_PORT = 20_000;
/** The longest pause. */
const PAUSE_MS = 20;

/** Three hosts: the clients, the forwarder, of which two processes may have connections, and the servers. */
class Hosts {
  readonly clock: VirtualClock = new VirtualClock();
  readonly clients: Stack;
  readonly front: Stack;
  /** The other process. Packets reach the first one, which passes them on. */
  readonly second: Stack;
  readonly back: Stack;
  readonly servers: Stack;

  constructor({ seed, profile, loss, moveMs }: CloseOrderOptions) {
    const { clock } = this;
    const host = (n: number, link: ReturnType<typeof linkPair>[0], address: string) =>
      createStack({
        clock,
        link: loss > 0 ? impair(link, { seed: seed + n, clock, loss }) : link,
        addresses: [address],
        random: seededRandom(seed + n),
        tcp: { profile },
      });
    const [a, b] = linkPair();
    const [c, d] = linkPair();
    this.clients = host(1, a, "10.0.0.1/24");
    this.front = host(2, b, "10.0.0.2/24");
    this.back = host(3, c, "10.1.0.2/24");
    this.servers = host(4, d, "10.1.0.1/24");
    this.second = host(5, sendingOver(b), "10.0.0.2/24");
    const dial = async (): Promise<Duplex> => {
      const socket = this.back.connect("10.1.0.1:3000", { allowHalfOpen: true });
      await socket.opened;
      return moveMs === undefined ? socket : new KernelSocket(socket);
    };
    for (const front of [this.front, this.second]) {
      front.use(80, forwardThrough(tcpOnly(dial))({ to: "10.1.0.1:3000", proxyProtocol: 1 }));
    }
  }

  get all(): readonly Stack[] {
    return [this.clients, this.second, this.front, this.back, this.servers];
  }
}

/** A link that only sends. */
function sendingOver(link: Link): Link {
  const closed = Promise.withResolvers<boolean>();
  const close = () => Promise.resolve(closed.resolve(false));
  return {
    name: "second",
    features: link.features,
    receive: () => 0,
    ready: () => closed.promise,
    send: (packet) => link.send(packet),
    close,
    [Symbol.asyncDispose]: close,
  };
}

/** Moves the connections of the forwarder between its two processes. */
class Mover {
  moves = 0;
  readonly #hosts: Hosts;
  readonly #dice: Dice;
  #isOver = false;

  constructor(hosts: Hosts, seed: number) {
    this.#hosts = hosts;
    this.#dice = new Dice(seed);
  }

  async run(averageMs: number): Promise<void> {
    const { clock, front, second } = this.#hosts;
    for (let isBack = false; !this.#isOver; isBack = !isBack) {
      await sleepUntil(clock, clock.now() + 2 * averageMs * this.#dice.random.fraction());
      const [from, to] = isBack ? [second, front] : [front, second];
      await Promise.all(from.connections().map((each) => this.#move(each, from, to)));
    }
  }

  end(): void {
    this.#isOver = true;
  }

  async #move(connection: OpenConnection, from: Stack, to: Stack): Promise<void> {
    const { clock } = this.#hosts;
    const frozen = await from.freeze(connection, { carries: () => true }).catch(() => undefined);
    if (frozen === undefined) return;
    const pauseMs = this.#dice.chance(0.5) ? 0 : 5 * this.#dice.random.fraction();
    if (pauseMs > 0) await sleepUntil(clock, clock.now() + pauseMs);
    // Sometimes the other process refuses a connection.
    if (this.#dice.chance(0.1)) return void frozen.resume();
    const attachments = frozen.attachments.map((each) => (each as KernelSocket).passed());
    to.thaw(frozen.record, { attachments, elapsedMs: pauseMs });
    frozen.redirect((packet, segmentSize) => to.receive(packet, { segmentSize }));
    this.moves++;
  }
}

/** Plays connections in random close orders through `forward`. */
export async function playCloseOrders(options: CloseOrderOptions): Promise<CloseOrderOutcome> {
  const hosts = new Hosts(options);
  const dice = new Dice(options.seed);
  const plans = Array.from(
    { length: options.connections },
    (_, index) => planConnection(index, dice, options.endings),
  );
  const players = new Players(hosts, plans, dice);
  const mover = new Mover(hosts, options.seed + 1);
  if (options.moveMs !== undefined) void mover.run(options.moveMs);
  const faults = await hosts.clock.runUntil(players.play(options.atOnce));
  mover.end();
  // Two minutes, so that TIME-WAIT ends.
  await hosts.clock.advance(120_000);
  const left = hosts.all.reduce((sum, stack) => sum + stack.stats()["connections"]!, 0);
  await hosts.clock.runUntil(Promise.all(hosts.all.map((stack) => stack.close())));
  const orderly =
    plans.filter(({ client, upstream }) =>
      client.ending === "orderly" && upstream.ending === "orderly"
    ).length;
  return { orderly, faults, left, moves: mover.moves };
}

/** Both sides of all connections. */
class Players {
  readonly #hosts: Hosts;
  readonly #plans: readonly ConnectionPlan[];
  readonly #dice: Dice;
  /** Servers' sides by client. */
  readonly #served = new Map<number, Promise<SideResult>>();
  readonly #faults: string[] = [];
  readonly #listener: TcpListener;
  readonly #pauses: Pauses;

  constructor(hosts: Hosts, plans: readonly ConnectionPlan[], dice: Dice) {
    this.#hosts = hosts;
    this.#plans = plans;
    this.#dice = dice;
    this.#pauses = new Pauses(hosts.clock);
    this.#listener = hosts.servers.listen({ port: 3000, tcpBacklog: 4096 });
  }

  async play(atOnce: number): Promise<string[]> {
    const accepting = this.#accept();
    let next = 0;
    const worker = async () => {
      while (next < this.#plans.length) {
        const index = next++;
        const fault = await this.#playOne(index);
        if (fault !== undefined) this.#faults.push(`connection ${index}: ${fault}`);
      }
    };
    await Promise.all(Array.from({ length: atOnce }, worker));
    this.#listener.close();
    await accepting;
    return this.#faults;
  }

  async #playOne(index: number): Promise<string | undefined> {
    const plan = this.#plans[index]!;
    const socket = this.#hosts.clients.connect("10.0.0.2:80", {
      allowHalfOpen: true,
      localPort: FIRST_PORT + index,
    });
    await socket.opened;
    const client = await this.#side(socket, plan.client, plan.upstream);
    const { clock } = this.#hosts;
    // Data of a client that resets may never reach its server, including the header.
    const isSure = !plan.client.ending.startsWith("resets");
    if (!isSure || !this.#served.has(index)) await sleepUntil(clock, clock.now() + 60_000);
    const served = this.#served.get(index);
    if (served !== undefined) return judge(plan, client, await served);
    return isSure ? "its server did not get the connection" : undefined;
  }

  /** Each server learns from the header which plan to follow. */
  async #accept(): Promise<void> {
    for await (const socket of this.#listener) void this.#serve(socket);
  }

  async #serve(socket: Duplex): Promise<void> {
    const port = await readHeader(socket);
    if (port === "error") return;
    if (port === "end") return void this.#faults.push("a server saw an end that was not sent");
    const index = port - FIRST_PORT;
    const { client, upstream } = this.#plans[index]!;
    this.#served.set(index, this.#side(socket, upstream, client));
  }

  #side(
    socket: Duplex,
    plan: ConnectionPlan["client"],
    peer: ConnectionPlan["client"],
  ): Promise<SideResult> {
    const pause = () => this.#pauses.wait();
    return playSide(socket, plan, peer, pause, (share) => this.#dice.chance(share));
  }
}

/** A single timer for all pauses. */
class Pauses {
  readonly #clock: VirtualClock;
  #waiting: (() => void)[] = [];

  constructor(clock: VirtualClock) {
    this.#clock = clock;
  }

  wait(): Promise<void> {
    if (this.#waiting.length === 0) {
      this.#clock.schedule(this.#clock.now() + PAUSE_MS, () => {
        for (const goOn of this.#waiting.splice(0)) goOn();
      });
    }
    return new Promise((resolve) => this.#waiting.push(resolve));
  }
}
