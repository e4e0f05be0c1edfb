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
import type { Stack, TcpListener } from "../../../core/api/types.ts";
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
}

/** Result of the simulation. */
export interface CloseOrderOutcome {
  /** Number of connections whose sides both ended gracefully. */
  readonly orderly: number;
  /** Errors, one line each. */
  readonly faults: readonly string[];
  /** Number of connections left in a stack at the end. */
  readonly left: number;
}

/** The first local port of the clients; each has its own, which identifies it to the server. */
const FIRST_PORT = 20_000;
/** The longest pause. */
const PAUSE_MS = 20;

/** Three hosts: the clients, the forwarder and the servers. */
class Hosts {
  readonly clock: VirtualClock = new VirtualClock();
  readonly clients: Stack;
  readonly front: Stack;
  readonly back: Stack;
  readonly servers: Stack;

  constructor({ seed, profile, loss }: CloseOrderOptions) {
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
    const dial = async (): Promise<Duplex> => {
      const socket = this.back.connect("10.1.0.1:3000", { allowHalfOpen: true });
      await socket.opened;
      return socket;
    };
    this.front.use(80, forwardThrough(tcpOnly(dial))({ to: "10.1.0.1:3000", proxyProtocol: 1 }));
  }

  get all(): readonly Stack[] {
    return [this.clients, this.front, this.back, this.servers];
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
  const faults = await hosts.clock.runUntil(players.play(options.atOnce));
  // Two minutes, so that TIME-WAIT ends.
  await hosts.clock.advance(120_000);
  const left = hosts.all.reduce((sum, stack) => sum + stack.stats()["connections"]!, 0);
  await hosts.clock.runUntil(Promise.all(hosts.all.map((stack) => stack.close())));
  const orderly =
    plans.filter(({ client, upstream }) =>
      client.ending === "orderly" && upstream.ending === "orderly"
    ).length;
  return { orderly, faults, left };
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
