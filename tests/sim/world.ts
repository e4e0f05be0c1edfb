import { type SeededRandom, seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { bindingOf } from "../../core/api/listen_address.ts";
import { OutgoingPacket } from "../../core/buffers/outgoing_packet.ts";
import type { LinkFeatures } from "../../core/stack/link.ts";
import { CoreStack, SECRET_LENGTH } from "../../core/stack/stack.ts";
import { Listener } from "../../core/stack/tcp/listener.ts";
import { PROFILES, type TcpConfig } from "../../core/tcp/config.ts";
import { brokenInvariants } from "../../core/tcp/invariants.ts";
import { Tcb } from "../../core/tcp/tcb.ts";
import { IpAddress, Subnet } from "../../core/wire/address.ts";
import { Application, type Habits } from "./application.ts";
import { EventQueue } from "./event_queue.ts";
import { type Pause, Pauses } from "./pauses.ts";
import { type Conditions, type Deliver, Wire } from "./wire.ts";

/** What a world is made of. Index 0 is the client's side, 1 the server's. */
export interface Scenario {
  readonly seed: number;
  readonly version: 4 | 6;
  readonly features: LinkFeatures;
  readonly profiles: readonly ["local" | "internet", "local" | "internet"];
  readonly tcp: readonly [Partial<TcpConfig>, Partial<TcpConfig>];
  /** From the client, and from the server. */
  readonly conditions: readonly [Conditions, Conditions];
  readonly habits: readonly [Habits, Habits];
  /** When each host does nothing; never, where this is not given. */
  readonly pauses?: readonly [readonly Pause[], readonly Pause[]];
  /** What the client does after its first connection. */
  readonly again?: readonly Reconnection[];
}

/** One more connection, when the one before is over. */
export interface Reconnection {
  /** Milliseconds that the client waits first. */
  readonly afterMs: number;
  /** From the same port, once that is free: the same four addresses and ports as before. */
  readonly samePort: boolean;
  readonly habits: readonly [Habits, Habits];
}

const PORT = 80;
const MAX_STEPS = 2_000_000;
/** No simulated connection may live longer than this many milliseconds. */
const MAX_TIME = 6 * 3_600_000;

/** How long a client waits that finds its port in TIME-WAIT. */
const RETRY_MS = 1000;

interface Side {
  readonly core: CoreStack;
  readonly wire: Wire;
  readonly pauses: Pauses;
}

/** What the two applications of one connection do, or have done. */
export interface Session {
  readonly client: Application;
  /** `undefined` before it has a connection. */
  server: Application | undefined;
  readonly habits: readonly [Habits, Habits];
}

/** Two stacks, a wire and an application on each: no promise, no real time. */
export class World {
  now = 1000;
  steps = 0;
  /** Called after every step, before the invariants are looked at. */
  afterStep: (() => void) | undefined = undefined;
  readonly scenario: Scenario;
  readonly sides: readonly [Side, Side];
  /** One after the other. */
  readonly sessions: Session[] = [];
  /** Of the reconnections, how many have begun. */
  #reconnections = 0;
  readonly #events = new EventQueue();
  readonly #random: SeededRandom;
  readonly #out = new OutgoingPacket();
  readonly #connections = new Set<Tcb>();

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.#random = seededRandom(scenario.seed);
    this.sides = [this.#side(0), this.#side(1)];
  }

  /** Of the latest connection. */
  get client(): Application {
    return this.sessions.at(-1)!.client;
  }

  /** Of the latest connection; `undefined` before it has one. */
  get server(): Application | undefined {
    return this.sessions.at(-1)!.server;
  }

  /** The client connects; everything else follows. */
  start(): this {
    const { core } = this.sides[1];
    const listener = core.tcp.listen({
      ...bindingOf(PORT),
      backlog: 4,
      decides: false,
    });
    if (!(listener instanceof Listener)) throw new Error(listener);
    this.#connect(this.scenario.habits, 0);
    this.#settle();
    return this;
  }

  /** Runs until nothing more can happen, or until a time; throws at the first thing that is wrong. */
  run(until = Infinity): this {
    for (;;) {
      const [a, b] = [this.#nextTimeout(0), this.#nextTimeout(1)];
      const next = Math.min(this.#events.next, a, b);
      if (next > until || next === Infinity) break;
      if (next > MAX_TIME) throw new Error(`it does not end: ${this.describe()}`);
      if (this.steps++ > MAX_STEPS) throw new Error(`time does not pass: ${this.describe()}`);
      this.now = Math.max(this.now, next);
      if (this.#events.next <= next) this.#events.runNext();
      else this.sides[a <= next ? 0 : 1].core.handleTimeout(this.now);
      this.#settle();
      this.afterStep?.();
    }
    if (until !== Infinity) this.now = Math.max(this.now, until);
    return this;
  }

  /** Packets, counted in both directions. */
  get packets(): number {
    return this.sides[0].wire.packets + this.sides[1].wire.packets;
  }

  /** Runs `run` so many milliseconds from now, as an event of its own. */
  wakeIn(ms: number, run: () => void): void {
    this.#events.schedule(this.now + ms, run);
  }

  /** Throws unless nothing is left of any connection. */
  assertNothingLeft(): void {
    for (const [i, { core }] of this.sides.entries()) {
      const left = { connections: core.tcp.connectionCount, timers: core.tcp.timerCount };
      if (left.connections > 0 || left.timers > 0) {
        throw new Error(`side ${i} holds ${JSON.stringify(left)}: ${this.describe()}`);
      }
    }
    for (const tcb of this.#connections) {
      const held = tcb.send.ring.block.length;
      if (held > 0) throw new Error(`${held} bytes of send buffer are left: ${this.describe()}`);
      if (!tcb.receive.isEmpty) throw new Error(`bytes received are left: ${this.describe()}`);
    }
  }

  /** Where both sides are, for people. */
  describe(): string {
    const sides = [this.client, this.server].map((application, i) => {
      if (application === undefined) return `${i}: no connection`;
      const { tcb, written, received, eof, ended, habits } = application;
      return `${i}: ${tcb.state} wrote ${written}/${habits.total} received ${received} eof ${eof}` +
        ` ended ${ended && (ended.error ?? "well")} recovery ${tcb.loss.phase}` +
        ` sent ${(tcb.sndNxt - tcb.sndUna) | 0} window ${tcb.sndWnd} unsent ${tcb.unsent}`;
    });
    return `at ${this.now} ms after ${this.steps} steps, ` +
      `connection ${this.sessions.length}; ${sides.join("; ")}`;
  }

  // ---------------------------------------------------------------- construction

  #side(index: 0 | 1): Side {
    const { scenario } = this;
    const random = seededRandom(scenario.seed + (index + 1) * 0x1_0000_0001);
    const secret = new Uint8Array(SECRET_LENGTH);
    random.fill(secret);
    const core = new CoreStack({
      features: scenario.features,
      subnets: [this.#address(index)],
      tcp: { ...PROFILES[scenario.profiles[index]], ...scenario.tcp[index] },
      secret,
      maxConnections: 16,
      maxTimeWait: 4,
    });
    const pauses = new Pauses(scenario.pauses?.[index] ?? [], this.#events);
    const [there, here] = [this.#deliverTo(1 - index), this.#deliverTo(index)];
    const wire = new Wire(scenario.conditions[index], scenario.features, random, there, here);
    return { core, wire, pauses };
  }

  #deliverTo(index: number): Deliver {
    return (at, { bytes, checksum, segmentSize }) =>
      this.#events.schedule(at, () => {
        const { core, pauses } = this.sides[index]!;
        pauses.packet(
          this.now,
          () => core.receive(bytes, bytes.length, checksum, segmentSize, this.now),
        );
      });
  }

  #address(index: 0 | 1): Subnet {
    const host = this.scenario.version === 4 ? "10.0.0." : "fd00::";
    const length = this.scenario.version === 4 ? 24 : 64;
    return new Subnet(IpAddress.parse(`${host}${index + 1}`)!, length);
  }

  // ---------------------------------------------------------------- steps

  #nextTimeout(index: 0 | 1): number {
    const { core, pauses } = this.sides[index];
    return pauses.awakeAt(Math.max(core.nextTimeout(), this.now));
  }

  #settle(): void {
    while (this.#drain(0) || this.#drain(1));
    this.#connectAgain();
    for (const tcb of this.#connections) {
      const broken = brokenInvariants(tcb);
      if (broken.length > 0) throw new Error(`${broken.join("; ")} ${this.describe()}`);
    }
    for (const { client, server } of this.sessions) {
      const fault = client.fault ?? server?.fault;
      if (fault) throw new Error(`${fault} ${this.describe()}`);
    }
  }

  /** Events to the applications, then packets out; false: there was nothing. */
  #drain(index: 0 | 1): boolean {
    const { core, wire, pauses } = this.sides[index];
    if (pauses.isPaused(this.now)) return false;
    let busy = false;
    for (let tcb = core.tcp.pollConnection(); tcb; tcb = core.tcp.pollConnection()) {
      (tcb.handle as Application | undefined)?.onEvent();
      busy = true;
    }
    for (let listener = core.tcp.pollListener(); listener; listener = core.tcp.pollListener()) {
      busy = true;
      for (const tcb of listener.ready.splice(0)) {
        tcb.listener = undefined;
        this.#accept(tcb);
      }
    }
    while (core.pollTransmit(this.#out, this.now)) {
      wire.send(this.#out, this.now);
      busy = true;
    }
    return busy;
  }

  // ---------------------------------------------------------------- connections

  #connect(habits: readonly [Habits, Habits], localPort: number): void {
    const { core } = this.sides[0];
    const remote = this.#address(1).address;
    const tcb = core.tcp.connect(
      { remote, remotePort: PORT, local: undefined, localPort },
      this.now,
    );
    if (tcb === "ADDRESS_IN_USE") {
      this.#wakeHostIn(0, RETRY_MS, () => this.#connect(habits, localPort));
      return;
    }
    if (!(tcb instanceof Tcb)) throw new Error(tcb);
    const client = this.#application(0, tcb, habits, this.sessions.length);
    this.sessions.push({ client, server: undefined, habits });
    client.onEvent();
  }

  #connectAgain(): void {
    const next = this.scenario.again?.[this.#reconnections];
    if (next === undefined || this.sessions.length <= this.#reconnections) return;
    const { client } = this;
    if (!client.isOver) return;
    this.#reconnections++;
    const port = next.samePort ? client.tcb.localPort : 0;
    this.#wakeHostIn(0, next.afterMs, () => this.#connect(next.habits, port));
  }

  #accept(tcb: Tcb): void {
    const number = this.sessions.findLastIndex(({ client }) =>
      client.tcb.localPort === tcb.remotePort && client.tcb.iss === tcb.irs
    );
    const session = this.sessions[number];
    if (session === undefined || session.server !== undefined) {
      throw new Error(`a connection that nobody asked for: ${this.describe()}`);
    }
    session.server = this.#application(1, tcb, session.habits, number);
    session.server.onEvent();
  }

  /** Each connection has streams of its own: what belongs to another one shows. */
  #application(
    index: 0 | 1,
    tcb: Tcb,
    habits: readonly [Habits, Habits],
    session: number,
  ): Application {
    this.#connections.add(tcb);
    const { core } = this.sides[index];
    const surroundings = {
      core,
      random: this.#random,
      now: () => this.now,
      wakeIn: (ms: number, wake: () => void) => this.#wakeHostIn(index, ms, wake),
    };
    const [sends, receives] = [2 * session + index, 2 * session + 1 - index];
    return new Application(tcb, habits[index], surroundings, sends, receives);
  }

  #wakeHostIn(index: 0 | 1, ms: number, run: () => void): void {
    this.wakeIn(ms, () => this.sides[index].pauses.wake(this.now, run));
  }
}
