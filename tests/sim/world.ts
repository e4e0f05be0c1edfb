import { type SeededRandom, seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { bindingOf } from "../../core/api/listen_address.ts";
import { OutgoingPacket } from "../../core/buffers/outgoing_packet.ts";
import type { LinkFeatures } from "../../core/stack/link.ts";
import { CoreStack, SECRET_LENGTH } from "../../core/stack/stack.ts";
import { Listener } from "../../core/stack/tcp/listener.ts";
import { PROFILES, type TcpConfig } from "../../core/tcp/config.ts";
import { frozenReader, frozenWriter, withHeader } from "../../core/tcp/frozen/format.ts";
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
  /** Moves of all connections of a side to another stack; none by default. */
  readonly moves?: readonly Move[];
}

/** Another connection, after the previous one has ended. */
export interface Reconnection {
  /** Delay before it, in milliseconds. */
  readonly afterMs: number;
  /** Whether it uses the same port, once that is free, and so the same 4-tuple. */
  readonly samePort: boolean;
  readonly habits: readonly [Habits, Habits];
}

/** All connections of a side move to a new stack with a clock of its own. */
export interface Move {
  readonly side: 0 | 1;
  /** When they are frozen, or as soon after as all of them can move. */
  readonly at: number;
  /** How long they are frozen, in milliseconds. */
  readonly pauseMs: number;
  /** How long packets reach the old stack after that, and are passed on. */
  readonly rerouteMs: number;
}

const PORT = 80;
const MAX_STEPS = 2_000_000;
/** Maximum lifetime of a simulated connection, in milliseconds. */
const MAX_TIME = 6 * 3_600_000;

/** How long a client waits if its port is in TIME-WAIT. */
const RETRY_MS = 1000;

interface Side {
  /** The stack that has the connections. */
  core: CoreStack;
  /** The stack that packets reach: the previous one until the route has changed. */
  receiver: CoreStack;
  /** How far the clock of `core` is behind the world's, in milliseconds. */
  skew: number;
  /** While the connections are frozen, the actions of applications and packets that wait. */
  frozen: (() => void)[] | undefined;
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
  /** The connections, one after the other. */
  readonly sessions: Session[] = [];
  /** Number of reconnections started. */
  #reconnections = 0;
  readonly #events = new EventQueue();
  readonly #random: SeededRandom;
  readonly #out = new OutgoingPacket();
  readonly #connections = new Set<Tcb>();
  /** Number of connections that have moved. */
  moved = 0;
  /** Number of stacks made, for their seeds. */
  #stacks = 0;

  constructor(scenario: Scenario) {
    this.scenario = scenario;
    this.#random = seededRandom(scenario.seed);
    this.sides = [this.#side(0), this.#side(1)];
    for (const move of scenario.moves ?? []) this.#events.schedule(move.at, () => this.#move(move));
  }

  /** The client's application of the latest connection. */
  get client(): Application {
    return this.sessions.at(-1)!.client;
  }

  /** The server's application of the latest connection; `undefined` before it has one. */
  get server(): Application | undefined {
    return this.sessions.at(-1)!.server;
  }

  /** Starts with a connection of the client. */
  start(): this {
    this.#listen(this.sides[1].core);
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
      else this.#handleTimeout(a <= next ? 0 : 1);
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
    const core = this.#core(index, random);
    const pauses = new Pauses(scenario.pauses?.[index] ?? [], this.#events);
    const [there, here] = [this.#deliverTo(1 - index), this.#deliverTo(index)];
    const wire = new Wire(scenario.conditions[index], scenario.features, random, there, here);
    return { core, receiver: core, skew: 0, frozen: undefined, wire, pauses };
  }

  #core(index: 0 | 1, random: SeededRandom): CoreStack {
    const { scenario } = this;
    const secret = new Uint8Array(SECRET_LENGTH);
    random.fill(secret);
    return new CoreStack({
      features: scenario.features,
      subnets: [this.#address(index)],
      tcp: { ...PROFILES[scenario.profiles[index]], ...scenario.tcp[index] },
      secret,
      maxConnections: 16,
      maxTimeWait: 4,
    });
  }

  #deliverTo(index: number): Deliver {
    return (at, { bytes, checksum, segmentSize }) =>
      this.#events.schedule(at, () => {
        const side = this.sides[index]!;
        side.pauses.packet(this.now, () => {
          const { receiver } = side;
          const now = this.#timeAt(side, receiver);
          receiver.receive(bytes, bytes.length, checksum, segmentSize, now);
        });
      });
  }

  #address(index: 0 | 1): Subnet {
    const host = this.scenario.version === 4 ? "10.0.0." : "fd00::";
    const length = this.scenario.version === 4 ? 24 : 64;
    return new Subnet(IpAddress.parse(`${host}${index + 1}`)!, length);
  }

  // ---------------------------------------------------------------- steps

  #nextTimeout(index: 0 | 1): number {
    const { core, skew, pauses } = this.sides[index];
    return pauses.awakeAt(Math.max(core.nextTimeout() + skew, this.now));
  }

  /** The sum of a deadline and the skew is rounded, so make sure that the time is not before the deadline. */
  #handleTimeout(index: 0 | 1): void {
    const { core, skew } = this.sides[index];
    const due = core.nextTimeout();
    core.handleTimeout(due + skew <= this.now ? Math.max(due, this.now - skew) : this.now - skew);
  }

  #timeOf(index: 0 | 1): number {
    return this.now - this.sides[index].skew;
  }

  /** The time of a stack; the previous stack of a side has no connections that need its clock. */
  #timeAt(side: Side, core: CoreStack): number {
    return core === side.core ? this.now - side.skew : this.now;
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
    const side = this.sides[index];
    const { core, wire, pauses } = side;
    if (pauses.isPaused(this.now)) return false;
    let busy = this.#redirect(side);
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
    while (core.pollTransmit(this.#out, this.#timeOf(index))) {
      wire.send(this.#out, this.now);
      busy = true;
    }
    return busy;
  }

  // ---------------------------------------------------------------- moves

  /** Freezes all connections of a side; later, another stack thaws them. */
  #move(move: Move, retryMs = 1): void {
    const side = this.sides[move.side];
    const { core } = side;
    const all = core.tcp.connections();
    // A handshake cannot move, and neither can what is about to end.
    const canMove = all.length > 0 && all.every((tcb) => core.tcp.immovable(tcb) === undefined);
    if (!canMove || side.frozen !== undefined || side.pauses.isPaused(this.now)) {
      if (all.length > 0) {
        this.#events.schedule(this.now + retryMs, () => this.#move(move, 2 * retryMs));
      }
      return;
    }
    side.frozen = [];
    const frozenAt = this.now;
    const records = all.map((tcb) => {
      const owner = tcb.handle as Application | undefined;
      tcb.handle = undefined;
      const writer = frozenWriter({ now: this.#timeOf(move.side), elapsedMs: 0 });
      core.tcp.freeze(tcb, writer);
      return { record: withHeader(writer.take()), owner };
    });
    this.#events.schedule(this.now + move.pauseMs, () => {
      const random = seededRandom(this.scenario.seed + ++this.#stacks * 0x2_0000_0003);
      this.#listen(side.core = this.#core(move.side, random));
      // The new clock has just started, or is far ahead.
      side.skew = random.fraction() < 0.5 ? this.now - 7 : -1e9 * random.fraction();
      for (const { record, owner } of records) {
        this.#thaw(move.side, record, owner, this.now - frozenAt);
      }
      const waiting = side.frozen!;
      side.frozen = undefined;
      for (const run of waiting) run();
      this.#redirect(side);
    });
    this.#events.schedule(this.now + move.pauseMs + move.rerouteMs, () => {
      side.receiver = side.core;
    });
  }

  #thaw(
    index: 0 | 1,
    record: Uint8Array,
    owner: Application | undefined,
    elapsedMs: number,
  ): void {
    const { core } = this.sides[index];
    const reader = frozenReader(record, { now: this.#timeOf(index), elapsedMs });
    if (typeof reader === "string") throw new Error(reader);
    const tcb = core.tcp.thaw(reader);
    if (!(tcb instanceof Tcb)) throw new Error(`${JSON.stringify(tcb)} ${this.describe()}`);
    if (!reader.isAtEnd) throw new Error("the record is longer than what was read");
    owner?.moveTo(tcb);
    this.#connections.add(tcb);
    core.tcp.enterThawed(tcb, this.#timeOf(index));
    this.moved++;
  }

  /** Passes on what arrives at the previous stack of a side; while frozen, it waits. */
  #redirect(side: Side): boolean {
    const { receiver } = side;
    let busy = false;
    if (receiver === side.core && side.frozen === undefined) return false;
    for (let one = receiver.tcp.pollMoved(); one; one = receiver.tcp.pollMoved()) {
      const { packet, segmentSize } = one;
      const pass = () => {
        const now = this.now - side.skew;
        side.core.receive(packet, packet.length, "verified", segmentSize, now);
      };
      if (side.frozen === undefined) pass();
      else side.frozen.push(pass);
      busy = true;
    }
    return busy;
  }

  // ---------------------------------------------------------------- connections

  #listen(core: CoreStack): void {
    const listener = core.tcp.listen({ ...bindingOf(PORT), backlog: 4, decides: false });
    if (!(listener instanceof Listener)) throw new Error(listener);
  }

  #connect(habits: readonly [Habits, Habits], localPort: number): void {
    const { core } = this.sides[0];
    const remote = this.#address(1).address;
    const tcb = core.tcp.connect(
      { remote, remotePort: PORT, local: undefined, localPort },
      this.#timeOf(0),
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
    const side = this.sides[index];
    const surroundings = {
      get core() {
        return side.core;
      },
      random: this.#random,
      now: () => this.#timeOf(index),
      wakeIn: (ms: number, wake: () => void) => this.#wakeHostIn(index, ms, wake),
    };
    const [sends, receives] = [2 * session + index, 2 * session + 1 - index];
    return new Application(tcb, habits[index], surroundings, sends, receives);
  }

  #wakeHostIn(index: 0 | 1, ms: number, run: () => void): void {
    const side = this.sides[index];
    const wake = () => {
      if (side.frozen === undefined) side.pauses.wake(this.now, run);
      else side.frozen.push(wake);
    };
    this.wakeIn(ms, wake);
  }
}
