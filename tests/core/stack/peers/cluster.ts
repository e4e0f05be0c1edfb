/**
 * Clients, a router and instances of a service in memory, in virtual time. The router chooses an instance by a hash of
 * the 4-tuple modulo their number, as plain multipath routing does: each change moves most connections.
 *
 * @module
 */
import { bindingOf } from "../../../../core/api/listen_address.ts";
import { OutgoingPacket } from "../../../../core/buffers/outgoing_packet.ts";
import type { LinkFeatures } from "../../../../core/stack/link.ts";
import { PeerGroup } from "../../../../core/stack/peers/peer_group.ts";
import { CoreStack, SECRET_LENGTH } from "../../../../core/stack/stack.ts";
import type { Listener } from "../../../../core/stack/tcp/listener.ts";
import type { MovedConnection } from "../../../../core/stack/tcp/moved_connections.ts";
import { PROFILES, type TcpConfig } from "../../../../core/tcp/config.ts";
import { frozenReader, frozenWriter, withHeader } from "../../../../core/tcp/frozen/format.ts";
import { Tcb } from "../../../../core/tcp/tcb.ts";
import { IpAddress, Subnet } from "../../../../core/wire/address.ts";
import { IpHeader, parseIp } from "../../../../core/wire/ip.ts";

export type Bytes = Uint8Array<ArrayBuffer>;

export const PORT = 80;
const SERVICE = ["10.0.0.2/24", "fd00::2/64"];
const CLIENT = ["10.0.0.1/24", "fd00::1/64"];
/** Milliseconds from one host to the next. */
const DELAY = 1;

interface Flight {
  readonly at: number;
  deliver(): unknown;
}

/** An instance of the service, which echoes. */
export class Instance {
  readonly number: number;
  readonly #shards: readonly { group: PeerGroup; core: CoreStack; listener: Listener }[];
  readonly #accepted = new Map<Tcb, CoreStack>();
  /** Connections that have moved away; their packets are passed on. */
  readonly redirected = new Set<MovedConnection>();
  isAlive = true;
  /** `true` while the process is not scheduled: it does nothing, but its host continues to receive. */
  isStalled = false;
  /** The packets and messages that have arrived since then. */
  readonly waiting: (() => unknown)[] = [];
  /** `true` while the application neither accepts nor reads. */
  isFrozen = false;

  constructor(
    number: number,
    tcp: TcpConfig,
    now: number,
    { backlog = 1000, shards = 1 }: Pick<ClusterOptions, "backlog" | "shards">,
    wallOffset: number,
  ) {
    this.number = number;
    this.#shards = Array.from({ length: shards }, (_, index) => {
      const group = new PeerGroup({
        self: number,
        connectionKey: new Uint8Array(16).fill(3),
        messageKey: new Uint8Array(16).fill(4),
        now,
        wallOffset,
      });
      const shard = { index, count: shards, seed: [5, 5] as const };
      const core = stack(SERVICE, tcp, number, { peers: group, ...shards > 1 && { shard } });
      const request = { ...bindingOf(PORT), backlog, decides: false };
      return { group, core, listener: core.tcp.listen(request) as Listener };
    });
  }

  /** The peer group of the first shard. */
  get group(): PeerGroup {
    return this.#shards[0]!.group;
  }

  /** The peer groups of all shards. */
  get groups(): PeerGroup[] {
    return this.#shards.map(({ group }) => group);
  }

  /** The first shard. */
  get core(): CoreStack {
    return this.#shards[0]!.core;
  }

  /** All shards. */
  get cores(): CoreStack[] {
    return this.#shards.map(({ core }) => core);
  }

  /** The next packet of a connection, which does not reach the network. */
  nextPacket(tcb: Tcb, now: number): Bytes {
    this.core.tcp.send(tcb, new Uint8Array(10), 0, now);
    return packetsOf(this.core, now)[0]!;
  }

  /** Continues a connection that was frozen elsewhere. */
  thaw(record: Bytes, now: number): void {
    const reader = frozenReader(record, { now, elapsedMs: 0 });
    if (typeof reader === "string") throw new Error(reader);
    const tcb = this.core.tcp.thaw(reader);
    if (!(tcb instanceof Tcb)) throw new Error(JSON.stringify(tcb));
    this.core.tcp.enterThawed(tcb, now);
    this.#accepted.set(tcb, this.core);
  }

  /** Accepts connections and echoes. */
  work(now: number): void {
    if (this.isFrozen) return;
    for (const { core, listener } of this.#shards) {
      for (let tcb = listener.takeReady(); tcb; tcb = listener.takeReady()) {
        this.#accepted.set(tcb, core);
      }
      while (core.tcp.pollConnection() !== undefined) { /* their state is read below */ }
    }
    const buffer = new Uint8Array(4096);
    for (const [tcb, core] of this.#accepted) {
      if (tcb.state === "CLOSED") this.#accepted.delete(tcb);
      const size = core.tcp.read(tcb, buffer, now);
      if (size > 0) core.tcp.send(tcb, buffer.subarray(0, size), 0, now);
    }
  }
}

/** A connection of the client with the position in its pattern. */
export interface Conversation {
  readonly tcb: Tcb;
  sent: number;
  received: number;
  wrong: number;
}

/** Options of a {@link Cluster}. */
export interface ClusterOptions {
  readonly instances: number;
  readonly profile: "local" | "internet";
  /** Whether the client offers timestamps. */
  readonly clientTimestamps: boolean;
  readonly backlog?: number;
  /** Shards of each instance. Default: 1. */
  readonly shards?: number;
}

/** Clients, a router, and instances of a service. */
export class Cluster {
  now = 0;
  readonly client: CoreStack;
  readonly instances: Instance[] = [];
  readonly conversations: Conversation[] = [];
  /** Instances that the router sends packets to. */
  routed: Instance[] = [];
  /** Called for each message between instances; returns the messages to deliver. */
  onMessage: (bytes: Bytes, from: Instance) => Bytes[] = (bytes) => [bytes];
  readonly #options: ClusterOptions;
  #flights: Flight[] = [];
  #delivered = 0;

  constructor(options: ClusterOptions) {
    this.#options = options;
    const timestamps = options.clientTimestamps;
    this.client = stack(CLIENT, { ...PROFILES.internet, timestamps }, 99);
    for (let i = 0; i < options.instances; i++) this.start(i);
    this.setMembers();
    this.routed = [...this.instances];
    this.advance(300);
  }

  /** Starts an instance, which the router does not know yet. */
  start(number: number): Instance {
    const { profile } = this.#options;
    const tcp = { ...PROFILES[profile], timestamps: true, keepAlive: true };
    // Clocks of stacks start at different times, wall clocks agree to within 100 ms.
    const wallOffset = 1_796_000_000_000 + 37 * number;
    const instance = new Instance(number, tcp, this.now, this.#options, wallOffset);
    this.instances.push(instance);
    return instance;
  }

  /** Tells all instances of these members. */
  setMembers(members: readonly Instance[] = this.instances): void {
    const numbers = members.map(({ number }) => number);
    for (const { groups } of this.instances) {
      for (const group of groups) group.membership.setMembers(numbers);
    }
  }

  /** Stops scheduling an instance for some time, during which everything that arrives waits. */
  stall(instance: Instance, ms: number): void {
    instance.isStalled = true;
    this.talk(ms);
    instance.isStalled = false;
    for (const deliver of instance.waiting.splice(0)) deliver();
  }

  /** Ends an instance without telling the others: its host refuses messages, and the router stops sending to it. */
  kill(instance: Instance): void {
    instance.isAlive = false;
    this.routed = this.routed.filter((one) => one !== instance);
  }

  /** Moves up to `count` connections from one instance to another; returns their number. */
  move(from: Instance, to: Instance, count = Infinity): number {
    const moving = from.core.tcp.connections().slice(0, count);
    for (const tcb of moving) {
      const writer = frozenWriter({ now: this.now, elapsedMs: 0 });
      const moved = from.core.tcp.freeze(tcb, writer);
      moved.handle = to;
      from.redirected.add(moved);
      to.thaw(withHeader(writer.take()), this.now);
    }
    return moving.length;
  }

  /**
   * Makes an instance stop passing on packets of connections that others know to have moved; returns how many remain.
   */
  release(from: Instance): number {
    for (const moved of from.redirected) {
      if (moved.isAway && !from.group.hasMoved(moved)) continue;
      from.core.tcp.forgetMoved(moved);
      from.redirected.delete(moved);
    }
    return from.redirected.size;
  }

  /** Opens connections. */
  connect(count: number, remote = "10.0.0.2", localPort = 0): Conversation[] {
    const opened = Array.from({ length: count }, () => {
      const request = { remote: IpAddress.parse(remote)!, remotePort: PORT, local: undefined };
      const tcb = this.client.tcp.connect({ ...request, localPort }, this.now) as Tcb;
      if (typeof tcb === "string") throw new Error(tcb);
      return { tcb, sent: 0, received: 0, wrong: 0 };
    });
    this.conversations.push(...opened);
    return opened;
  }

  /** Sends `size` bytes of its pattern on each connection. */
  say(size: number, among: readonly Conversation[] = this.conversations): void {
    for (const one of among) {
      const bytes = Uint8Array.from({ length: size }, (_, i) => patternAt(one, one.sent + i));
      one.sent += this.client.tcp.send(one.tcb, bytes, 0, this.now);
    }
  }

  /** Runs for `ms` milliseconds. */
  advance(ms: number): void {
    for (const end = this.now + ms; this.now < end; this.now++) this.#step();
  }

  /** Talks for `ms` milliseconds, so that every connection sends now and then. */
  talk(ms: number, size = 50): void {
    for (let passed = 0; passed < ms; passed += 100) {
      this.say(size, this.conversations.filter(({ tcb }) => tcb.state === "ESTABLISHED"));
      this.advance(100);
    }
  }

  /** Connections that were reset or timed out, or got other bytes than they sent. */
  get broken(): Conversation[] {
    return this.conversations.filter((one) =>
      one.tcb.state !== "ESTABLISHED" || one.wrong > 0 || one.received !== one.sent
    );
  }

  /** The connections that an instance has. */
  count({ cores }: Instance): number {
    return cores.reduce((sum, { tcp }) => sum + tcp.connectionCount, 0);
  }

  sum(counter: "handedToPeer" | "receivedFromPeer" | "resetsSent"): number {
    const all = this.instances.flatMap(({ cores }) => cores);
    return all.reduce((sum, { stats }) => sum + stats[counter], 0);
  }

  /** The instance that the router sends a packet of the client to. */
  route(packet: Bytes): Instance | undefined {
    const ip = new IpHeader();
    if (parseIp(packet, packet.length, ip) !== undefined) throw new Error("not an IP packet");
    const ports = (packet[ip.payloadStart]! << 8 | packet[ip.payloadStart + 1]!) * 0x9e37;
    return this.routed[(ports >>> 3) % this.routed.length];
  }

  /** The next packet of a connection of the client, which is lost and sent again later. */
  lastSent(tcb: Tcb): Bytes {
    this.say(1, this.conversations.filter((one) => one.tcb === tcb));
    return packetsOf(this.client, this.now)[0]!;
  }

  /** Delivers a packet to an instance at once. */
  deliver(packet: Bytes, to: Instance, segmentSize = 0): void {
    if (!to.isAlive) return;
    if (to.isStalled) return void to.waiting.push(() => this.deliver(packet, to, segmentSize));
    // The device may deliver a packet to any shard.
    const core = to.cores[this.#delivered++ % to.cores.length]!;
    core.receive(packet, packet.length, "full", segmentSize, this.now);
  }

  #step(): void {
    const due = this.#flights.filter(({ at }) => at <= this.now);
    this.#flights = this.#flights.filter(({ at }) => at > this.now);
    for (const { deliver } of due) deliver();
    this.client.handleTimeout(this.now);
    this.#read();
    for (const packet of packetsOf(this.client, this.now)) {
      const to = this.route(packet);
      if (to !== undefined) this.#fly(() => this.deliver(packet, to));
    }
    const running = this.instances.filter(({ isAlive, isStalled }) => isAlive && !isStalled);
    for (const instance of running) this.#run(instance);
  }

  #run(instance: Instance): void {
    for (const core of instance.cores) core.handleTimeout(this.now);
    instance.work(this.now);
    for (const core of instance.cores) this.#send(instance, core);
  }

  /** Passes on everything that a shard has to send. */
  #send(instance: Instance, core: CoreStack): void {
    for (const packet of packetsOf(core, this.now)) {
      this.#fly(() => this.client.receive(packet, packet.length, "full", 0, this.now));
    }
    for (let one = core.sharding.next(); one !== undefined; one = core.sharding.next()) {
      const { packet, segmentSize } = one;
      if (!("shard" in one)) continue;
      const { isMessage } = one;
      const to = instance.cores[one.shard]!;
      this.#fly(() =>
        isMessage
          ? to.receiveFromPeer(packet, packet.length, this.now)
          : to.receive(packet, packet.length, "verified", segmentSize, this.now)
      );
    }
    for (let one = core.tcp.pollMoved(); one !== undefined; one = core.tcp.pollMoved()) {
      const { packet, segmentSize, connection: { handle } } = one;
      const to = handle as Instance;
      this.#fly(() => to.isAlive && to.core.receiveRedirected(packet, segmentSize, this.now));
    }
    for (let one = core.peers!.next(); one !== undefined; one = core.peers!.next()) {
      const to = this.instances.find(({ number }) => number === one!.to);
      for (const bytes of this.onMessage(one.bytes, instance)) {
        if (to?.isAlive) {
          const receive = () => to.core.receiveFromPeer(bytes, bytes.length, this.now);
          this.#fly(() => to.isStalled ? to.waiting.push(receive) : receive());
        } else {
          for (const group of instance.groups) group.membership.refused(one.to);
        }
      }
    }
  }

  #read(): void {
    while (this.client.tcp.pollConnection() !== undefined) { /* read below */ }
    const buffer = new Uint8Array(4096);
    for (const one of this.conversations) {
      const size = this.client.tcp.read(one.tcb, buffer, this.now);
      for (let i = 0; i < size; i++) {
        if (buffer[i] !== patternAt(one, one.received + i)) one.wrong++;
      }
      one.received += size;
    }
  }

  #fly(deliver: () => unknown): void {
    this.#flights.push({ at: this.now + DELAY, deliver });
  }
}

function patternAt({ tcb }: Conversation, position: number): number {
  return (tcb.localPort * 31 + position * 7) & 255;
}

/** Everything that a stack has to send. */
export function packetsOf(core: CoreStack, now: number): Bytes[] {
  const packets: Bytes[] = [];
  const out = new OutgoingPacket();
  while (core.pollTransmit(out, now)) {
    const packet = new Uint8Array(out.byteLength);
    out.copyTo(packet, 0);
    packets.push(packet);
  }
  return packets;
}

function stack(
  subnets: readonly string[],
  tcp: TcpConfig,
  seed: number,
  others: Pick<LinkFeatures, "peers" | "shard"> = {},
): CoreStack {
  return new CoreStack({
    features: { mtu: 1500, maxSuperPacket: 0, checksumOffload: false, ...others },
    subnets: subnets.map((text) => Subnet.parse(text)!),
    tcp,
    secret: new Uint8Array(SECRET_LENGTH).fill(7 + seed),
    maxConnections: 20_000,
    maxTimeWait: 1000,
  });
}
