import { bindingOf } from "../../core/api/listen_address.ts";
import { OutgoingPacket } from "../../core/buffers/outgoing_packet.ts";
import { MAX_HOLES } from "../../core/buffers/receive_ring.ts";
import type { LinkFeatures } from "../../core/stack/link.ts";
import { CoreStack, SECRET_LENGTH } from "../../core/stack/stack.ts";
import { Listener } from "../../core/stack/tcp/listener.ts";
import { PROFILES, type TcpConfig } from "../../core/tcp/config.ts";
import { brokenInvariants } from "../../core/tcp/invariants.ts";
import type { TcpState } from "../../core/tcp/state.ts";
import { Tcb, TCB_EVENT } from "../../core/tcp/tcb.ts";
import { RELEASED } from "../../core/tcp/tcb_flags.ts";
import { setUserTimeout } from "../../core/tcp/user_calls.ts";
import { IpAddress, Subnet } from "../../core/wire/address.ts";
import { decode } from "../support/dsl/decode.ts";
import { Dice } from "./dice.ts";
import { OWN, Peer } from "./peer.ts";

const CONNECTIONS = 24;
const BACKLOG = 8;
const MAX_TIME_WAIT = 6;
/** Maximum number of packets sent in one step; more indicate a loop. */
const MAX_SENT_PER_STEP = 100_000;
const MAX_TIMEOUTS_PER_STEP = 100_000;
/** Time after which no connection may be left, in milliseconds. */
const LAST_RITES_MS = 4 * 3_600_000;
const PAUSES = [0, 0, 0, 0, 0, 0, 0.01, 0.1, 1, 1, 5, 20, 50, 250, 1000];
/** Decisions of a listener: most SYNs are accepted. */
const VERDICTS = ["accept", "accept", "accept", "accept", "refuse", "ignore"] as const;
const REMOTE = { 4: IpAddress.parse("10.0.0.1")!, 6: IpAddress.parse("fd00::1")! };

/** Fuzzes one stack, from a seed. */
export class Episode {
  /** Number of packets delivered to the stack. */
  packets = 0;
  sent = 0;
  /** Number of packets by the state of the connection that they reached. */
  readonly met = new Map<TcpState, number>();
  readonly config: TcpConfig;
  readonly features: LinkFeatures;
  readonly #dice: Dice;
  readonly #core: CoreStack;
  readonly #peer: Peer;
  readonly #listeners: Listener[] = [];
  readonly #known = new Set<Tcb>();
  readonly #out = new OutgoingPacket();
  readonly #scratch = new Uint8Array(0x20000);
  #target: Tcb | undefined;
  #now: number;

  constructor(seed: number) {
    const dice = this.#dice = new Dice(seed);
    this.#now = dice.chance(0.1) ? 2 ** 32 - 5000 : 1000;
    this.config = drawConfig(dice);
    this.features = drawFeatures(dice);
    const secret = new Uint8Array(SECRET_LENGTH);
    dice.random.fill(secret);
    this.#core = new CoreStack({
      features: this.features,
      subnets: [new Subnet(OWN[4], 24), new Subnet(OWN[6], 64)],
      tcp: this.config,
      secret,
      maxConnections: CONNECTIONS,
      maxTimeWait: MAX_TIME_WAIT,
    });
    this.#peer = new Peer(dice, (packet, size, checksum, segmentSize) => {
      this.packets++;
      this.#core.receive(packet, size, checksum, segmentSize, this.#now);
      this.#settle();
    });
    this.#listen();
  }

  /**
   * Sends at least this many packets, then waits for all connections to end. Throws on a finding.
   */
  run(packets: number): void {
    while (this.packets < packets) this.#step();
    this.#end();
  }

  /** A description for messages. */
  describe(): string {
    const tcb = this.#target;
    const about = tcb === undefined
      ? "no connection"
      : `${tcb.state} una ${tcb.sndUna} nxt ${tcb.sndNxt} rcv ${tcb.rcvNxt} wnd ${tcb.sndWnd}` +
        ` recovery ${tcb.loss.phase} ranges ${tcb.scoreboard.count}`;
    return `packet ${this.packets} at ${this.#now} ms, ${about}`;
  }

  #step(): void {
    const dice = this.#dice;
    this.#pass(dice.chance(0.001) ? 70_000 : dice.of(PAUSES));
    this.#target = dice.chance(0.8) ? this.#target : this.#choose();
    if (this.#target?.has(RELEASED)) this.#target = this.#choose();
    const tcb = this.#target;
    if (tcb === undefined || dice.chance(0.02)) {
      if (dice.chance(0.3)) this.#connect();
      else this.#peer.sendSyn();
      return;
    }
    this.met.set(tcb.state, (this.met.get(tcb.state) ?? 0) + 1);
    this.#peer.sendTo(tcb, this.#now);
    if (dice.chance(0.3)) this.#act(tcb);
    if ((this.packets & 127) === 0) this.#checkAll();
  }

  #choose(): Tcb | undefined {
    const all = this.#core.tcp.connections();
    return all.length === 0 ? undefined : this.#dice.of(all);
  }

  // ---------------------------------------------------------------- the application

  #listen(): void {
    for (const port of [80, 81]) {
      const request = { ...bindingOf(port), backlog: BACKLOG, decides: port === 81 };
      const listener = this.#core.tcp.listen(request);
      if (listener instanceof Listener) this.#listeners.push(listener);
    }
  }

  #connect(): void {
    const version = this.#dice.of([4, 6] as const);
    const request = {
      remote: REMOTE[version],
      remotePort: 7 + this.#dice.below(3),
      local: undefined,
      localPort: 0,
    };
    const tcb = this.#core.tcp.connect(request, this.#now);
    if (tcb instanceof Tcb) this.#know(tcb);
    this.#settle();
  }

  #act(tcb: Tcb): void {
    const dice = this.#dice;
    const kind = dice.below(100);
    const core = this.#core;
    const scratch = this.#scratch;
    if (kind < 40) core.tcp.send(tcb, scratch.subarray(0, 1 + this.#size()), 0, this.#now);
    else if (kind < 80) core.tcp.read(tcb, scratch.subarray(0, 1 + this.#size()), this.#now);
    else if (kind < 90) core.tcp.markProcessed(tcb, this.#now);
    else if (kind < 94) core.tcp.closeWrite(tcb);
    else if (kind < 96) core.tcp.close(tcb, this.#now);
    else if (kind < 97) core.tcp.setKeepAlive(tcb, dice.chance(0.5), this.#now);
    else if (kind < 98) setUserTimeout(tcb, dice.of([1000, 60_000]));
    else if (dice.chance(0.3)) core.tcp.abort(tcb);
    else if (dice.chance(0.05)) this.#upset();
    this.#settle();
  }

  #size(): number {
    return this.#dice.below(this.#dice.of([1, 100, 3000, 30_000, this.#scratch.length]));
  }

  /** Rare events: a listener or an address is removed and added again. */
  #upset(): void {
    if (this.#dice.chance(0.5)) {
      for (const listener of this.#listeners.splice(0)) this.#core.tcp.closeListener(listener);
      this.#settle();
      this.#listen();
    } else {
      const version = this.#dice.of([4, 6] as const);
      this.#core.removeSubnet(Subnet.of(OWN[version]));
      this.#settle();
      this.#core.addSubnet(new Subnet(OWN[version], version === 4 ? 24 : 64));
    }
  }

  #know(tcb: Tcb): void {
    this.#known.add(tcb);
  }

  // ---------------------------------------------------------------- the driver

  #pass(ms: number): void {
    this.#now += ms;
    for (let i = 0; this.#core.nextTimeout() <= this.#now; i++) {
      if (i > MAX_TIMEOUTS_PER_STEP) throw new Error("time does not advance");
      this.#core.handleTimeout(this.#now);
      this.#settle();
    }
  }

  #settle(): void {
    for (;;) {
      this.#transmit();
      const listener = this.#core.tcp.pollListener();
      if (listener !== undefined) {
        this.#accept(listener);
        continue;
      }
      const tcb = this.#core.tcp.pollConnection();
      if (tcb === undefined) break;
      this.#know(tcb);
      if ((tcb.events & TCB_EVENT.ENDED) !== 0) this.#core.tcp.close(tcb, this.#now);
      tcb.events = 0;
    }
    if (this.#target !== undefined) check(this.#target);
  }

  #accept(listener: Listener): void {
    for (const tcb of listener.undecided.splice(0)) {
      this.#know(tcb);
      if (this.#dice.chance(0.9)) this.#core.tcp.decide(tcb, this.#dice.of(VERDICTS));
    }
    if (this.#dice.chance(0.1)) return;
    for (const tcb of listener.ready.splice(0)) {
      tcb.listener = undefined;
      this.#know(tcb);
    }
  }

  #transmit(): void {
    for (let i = 0; this.#core.pollTransmit(this.#out, this.#now); i++) {
      if (i > MAX_SENT_PER_STEP) throw new Error("it does not stop sending");
      this.sent++;
      this.#checkSent();
    }
  }

  // ---------------------------------------------------------------- looking

  #checkSent(): void {
    const out = this.#out;
    const { mtu, maxSuperPacket } = this.features;
    const most = out.segmentSize > 0 ? maxSuperPacket : mtu;
    if (out.byteLength > most) throw new Error(`it sent ${out.byteLength} bytes, MTU ${most}`);
    // Fragments of replies are checked elsewhere.
    if (out.checksumPartial || out.segmentSize > 0 || (this.sent & 31) !== 0) return;
    const bytes = new Uint8Array(out.byteLength);
    out.copyTo(bytes, 0);
    const isTcp = bytes[0]! >>> 4 === 4 ? bytes[9] === 6 : bytes[6] === 6;
    if (isTcp) decode(bytes);
  }

  #checkAll(): void {
    const all = this.#core.tcp.connections();
    for (const tcb of all) check(tcb);
    const { connectionCount, timerCount } = this.#core.tcp;
    if (all.length !== connectionCount) throw new Error("connections are counted wrong");
    if (connectionCount > CONNECTIONS) throw new Error(`${connectionCount} connections`);
    if (timerCount > connectionCount) throw new Error(`${timerCount} timers`);
    const waiting = all.filter(({ state }) => state === "TIME-WAIT").length;
    if (waiting > MAX_TIME_WAIT) throw new Error(`${waiting} connections in TIME-WAIT`);
    for (const listener of this.#listeners) {
      const held = listener.halfOpen.size + listener.ready.length;
      if (held > BACKLOG) throw new Error(`${held} connections in the backlog`);
    }
    for (const tcb of this.#known) {
      if (!tcb.has(RELEASED)) continue;
      checkNothingHeld(tcb);
      this.#known.delete(tcb);
    }
  }

  /** No more packets arrive and every application closes: nothing may be left. */
  #end(): void {
    this.#target = undefined;
    for (const listener of this.#listeners.splice(0)) this.#core.tcp.closeListener(listener);
    this.#settle();
    for (const tcb of this.#core.tcp.connections()) this.#core.tcp.close(tcb, this.#now);
    this.#settle();
    const end = this.#now + LAST_RITES_MS;
    for (let i = 0; this.#core.nextTimeout() < end; i++) {
      if (i > MAX_TIMEOUTS_PER_STEP) throw new Error("it does not come to rest");
      this.#pass(Math.max(0, this.#core.nextTimeout() - this.#now));
    }
    this.#checkAll();
    const { connectionCount, timerCount } = this.#core.tcp;
    for (const tcb of this.#core.tcp.connections()) {
      this.#target = tcb;
      throw new Error(`${connectionCount} connections are stuck`);
    }
    if (timerCount > 0) throw new Error(`${timerCount} timers are left`);
    if (this.#core.nextTimeout() !== Infinity) throw new Error("events are still pending");
    if (this.#known.size > 0) throw new Error("the application was not notified of an end");
  }
}

function check(tcb: Tcb): void {
  const broken = brokenInvariants(tcb);
  if (broken.length > 0) throw new Error(`broken: ${broken.join("; ")}`);
  const { scoreboard, send, receive } = tcb;
  if (scoreboard.count > mostRanges(tcb)) throw new Error(`${scoreboard.count} ranges were sent`);
  if (send.ring.block.length > 2 * Math.max(send.limit, 2048)) throw new Error("a large send ring");
  if (receive.outOfOrder !== undefined && receive.outOfOrder.count > MAX_HOLES) {
    throw new Error("many holes");
  }
  if (tcb.environment.pool.held > 16 * 1024 * 1024) throw new Error("a large pool");
}

/** A range is a segment; the number of splits by SACK blocks is bounded. */
function mostRanges(tcb: Tcb): number {
  return 2 * Math.ceil(tcb.send.limit / 52) + 1000;
}

function checkNothingHeld(tcb: Tcb): void {
  if (tcb.send.ring.block.length > 0) throw new Error("an ended connection holds its send ring");
  if (!tcb.receive.isEmpty) throw new Error("an ended connection holds received bytes");
  if (tcb.heapIndex >= 0) throw new Error("an ended connection has a deadline");
}

function drawConfig(dice: Dice): TcpConfig {
  const some: { -readonly [K in keyof TcpConfig]?: TcpConfig[K] } = {};
  if (dice.chance(0.3)) some.acknowledge = dice.of(["on-read", "on-processed", "on-arrival"]);
  if (dice.chance(0.6)) some.receiveBuffer = dice.of([2048, 10_000, 65_535, 300_000]);
  if (dice.chance(0.8)) some.sendBuffer = dice.of([2048, 10_000, 65_535]);
  if (dice.chance(0.2)) some.sack = dice.chance(0.5);
  if (dice.chance(0.2)) some.timestamps = dice.chance(0.5);
  if (dice.chance(0.1)) some.windowScaling = false;
  if (dice.chance(0.1)) some.noDelay = false;
  if (dice.chance(0.3)) some.congestion = dice.of(["unacked", "newreno", "cubic", "bbr"]);
  if (dice.chance(0.2)) some.ecn = dice.chance(0.5);
  if (dice.chance(0.1)) some.keepAlive = true;
  if (dice.chance(0.1)) some.mss = dice.of([88, 536]);
  if (dice.chance(0.2)) some.ackStallMs = 500;
  return { ...PROFILES[dice.of(["local", "internet"] as const)], ...some };
}

function drawFeatures(dice: Dice): LinkFeatures {
  const offload = dice.chance(0.25);
  return {
    mtu: dice.of([1280, 1500, 1500, 9000, 65_535]),
    maxSuperPacket: offload ? dice.of([20_000, 65_535]) : 0,
    checksumOffload: offload,
  };
}
