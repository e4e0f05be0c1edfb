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

/** Options of a world. Index 0 is the client's side, 1 the server's. */
export interface Scenario {
  readonly seed: number;
  readonly version: 4 | 6;
  readonly features: LinkFeatures;
  readonly profiles: readonly ["local" | "internet", "local" | "internet"];
  readonly tcp: readonly [Partial<TcpConfig>, Partial<TcpConfig>];
  /** From the client, and from the server. */
  readonly conditions: readonly [Conditions, Conditions];
  readonly habits: readonly [Habits, Habits];
  /** Pauses of each host; none by default. */
  readonly pauses?: readonly [readonly Pause[], readonly Pause[]];
  /** Connections of the client after the first. */
  readonly again?: readonly Reconnection[];
}

/** Another connection, after the previous one has ended. */
export interface Reconnection {
  /** Delay before it, in milliseconds. */
  readonly afterMs: number;
  /** Whether it uses the same port, once that is free, and so the same 4-tuple. */
  readonly samePort: boolean;
  readonly habits: readonly [Habits, Habits];
}

const PORT = 80;
const MAX_STEPS = 2_000_000;
/** Maximum lifetime of a simulated connection, in milliseconds. */
const MAX_TIME = 6 * 3_600_000;

/** How long a client waits if its port is in TIME-WAIT. */
const RETRY_MS = 1000;

interface Side {
  readonly core: CoreStack;
  readonly wire: Wire;
  readonly pauses: Pauses;
}

/** The two applications of one connection. */
export interface Session {
  readonly client: Application;
  /** `undefined` before it has a connection. */
  server: Application | undefined;
  readonly habits: readonly [Habits, Habits];
}

/** Two stacks, a wire, and an application on each, without promises or real time. */
export class World {
  now = 1000;
  steps = 0;
  /** Called after every step, before the invariants are checked. */
  afterStep: (() => void) | undefined = undefined;
  readonly scenario: Scenario;
  readonly sides: readonly [Side, Side];
  /** One after the other. */
  readonly sessions: Session[] = [];
  /** Number of reconnections started. */
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

  /** Starts with a connection of the client. */
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

  /** Runs until nothing more can happen, or until a time; throws at the first error. */
  run(until = Infinity): this {
    for (;;) {
      const [a, b] = [this.#nextTimeout(0), this.#nextTimeout(1)];
      const next = Math.min(this.#events.next, a, b);
      if (next > until || next === Infinity) break;
      if (next > MAX_TIME) throw new Error(`it does not end: ${this.describe()}`);
      if (this.steps++ > MAX_STEPS) throw new Error(`time does not advance: ${this.describe()}`);
      this.now = Math.max(this.now, next);
      if (this.#events.next <= next) this.#events.runNext();
      else this.sides[a <= next ? 0 : 1].core.handleTimeout(this.now);
      this.#settle();
      this.afterStep?.();
    }
    if (until !== Infinity) this.now = Math.max(this.now, until);
    return this;
  }

  /** Number of packets in both directions. */
  get packets(): number {
    return this.sides[0].wire.packets + this.sides[1].wire.packets;
  }

  /** Schedules `run` after a delay in milliseconds. */
  wakeIn(ms: number, run: () => void): void {
    this.#events.schedule(this.now + ms, run);
  }

  /** Throws if any connection is left. */
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

  /** A description of both sides for messages. */
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

  /**
   * Delivers events to the applications, then sends packets; returns false if there was nothing to
   * do.
   */
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
      throw new Error(`an unexpected connection: ${this.describe()}`);
    }
    session.server = this.#application(1, tcb, session.habits, number);
    session.server.onEvent();
  }

  /** Each connection has its own streams, so that data of another one is detected. */
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
