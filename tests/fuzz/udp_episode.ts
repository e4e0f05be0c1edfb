import { OutgoingPacket } from "../../core/buffers/outgoing_packet.ts";
import { CoreStack, SECRET_LENGTH } from "../../core/stack/stack.ts";
import { PROFILES } from "../../core/tcp/config.ts";
import type { Datagram } from "../../core/udp/datagram.ts";
import { Flow, FlowPort } from "../../core/udp/flow.ts";
import { UdpSocket } from "../../core/udp/socket.ts";
import { IpAddress, Subnet } from "../../core/wire/address.ts";
import { encodeIcmp, encodeUdp } from "../support/dsl/encode.ts";
import { cut } from "../support/fragments.ts";
import { Dice } from "./dice.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const ENDS = { 4: ["10.0.0.1", "10.0.0.2"], 6: ["fd00::1", "fd00::2"] } as const;
const LIMITS = {
  maxFlows: 12,
  flowIdleMs: 1000,
  maxDatagrams: 8,
  maxBytes: 128 * 1024,
  maxMemory: 300 * 1024,
};
const PORTS = [7, 8, 9, 53, 49_152];
const SIZES = [4, 4, 5, 8, 8, 9, 20, 100, 100, 1400, 1400, 1473, 3000, 9000];
/** Each datagram starts with its sender and receiver, to detect misdelivery. */
const MARK = 4;

/** Fuzzes the UDP of one stack, from a seed. */
export class UdpEpisode {
  packets = 0;
  /** Number of datagrams read and verified. */
  read = 0;
  sent = 0;
  errors = 0;
  readonly #dice: Dice;
  readonly #core: CoreStack;
  readonly #out = new OutgoingPacket();
  readonly #sockets = new Set<UdpSocket>();
  readonly #ports = new Set<FlowPort>();
  readonly #flows = new Set<Flow>();
  /** The last datagram sent by the stack, which ICMP errors quote. */
  #last: Bytes | undefined;
  #id = 0;
  #now = 1000;

  constructor(seed: number) {
    const dice = this.#dice = new Dice(seed);
    const secret = new Uint8Array(SECRET_LENGTH);
    dice.random.fill(secret);
    this.#core = new CoreStack({
      features: { mtu: dice.of([1280, 1500, 9000]), maxSuperPacket: 0, checksumOffload: false },
      subnets: [Subnet.parse("10.0.0.2/24")!, Subnet.parse("fd00::2/64")!],
      tcp: PROFILES.local,
      udp: LIMITS,
      secret,
      maxConnections: 10,
      maxTimeWait: 1,
    });
  }

  /** Sends at least this many packets, then waits for everything to end. Throws on a finding. */
  run(packets: number): void {
    for (let i = 0; i < 8; i++) this.#bind();
    while (this.packets < packets) {
      this.#pass(this.#dice.of([0, 0, 0, 0, 0, 1, 10, 300]));
      const kind = this.#dice.below(40);
      if (kind < 22) this.#sendDatagram();
      else if (kind < 24) this.#sendError();
      else if (kind < 39) this.#act();
      else this.#bind();
      this.#settle();
      this.#check();
    }
    this.#end();
  }

  // ---------------------------------------------------------------- the peers

  #sendDatagram(): void {
    const dice = this.#dice;
    const [peer, own] = ENDS[dice.of([4, 6] as const)];
    const [from, to] = [dice.of([0, 1000 + dice.below(20)]), dice.of(PORTS)];
    const packet = encodeUdp(peer, own, from, to, this.#data(from, to), true);
    if (dice.chance(0.1)) packet[dice.below(packet.length)]! ^= 1 << dice.below(8);
    if (dice.chance(0.03)) return this.#deliver(packet.slice(0, dice.below(packet.length)));
    const isCut = packet.length > 1500 || dice.chance(0.1);
    for (const piece of isCut ? this.#pieces(packet) : [packet]) this.#deliver(piece);
  }

  #data(from: number, to: number): Bytes {
    const size = this.#dice.chance(0.01) ? 60_000 : this.#dice.of(SIZES);
    const data = new Uint8Array(size).fill(from ^ to);
    data.set([from >> 8, from, to >> 8, to]);
    return data;
  }

  #pieces(packet: Bytes): Bytes[] {
    const dice = this.#dice;
    const ends: number[] = [];
    const step = 8 * (64 + dice.below(110));
    for (let at = step; at < packet.length - 48; at += step) ends.push(at);
    const pieces = cut(packet, ends, ++this.#id);
    if (dice.chance(0.3)) pieces.reverse();
    if (dice.chance(0.2)) pieces.push(dice.of(pieces));
    if (dice.chance(0.1)) pieces.pop();
    return pieces;
  }

  #sendError(): void {
    const dice = this.#dice;
    if (this.#last === undefined) return;
    const [peer, own] = ENDS[this.#last[0]! >>> 4 === 4 ? 4 : 6];
    const body = this.#last.slice(0, dice.chance(0.8) ? 80 : dice.below(80));
    if (dice.chance(0.1) && body.length > 0) body[dice.below(body.length)]! ^= 255;
    const [type, code] = [dice.of([1, 2, 3, 3, 11]), dice.of([0, 1, 3, 4])];
    this.#deliver(encodeIcmp(peer, own, { type, code, rest: dice.of([0, 1280, 1400]), body }));
  }

  #deliver(packet: Bytes): void {
    this.packets++;
    this.#core.receive(packet, packet.length, "full", 0, this.#now);
  }

  // ---------------------------------------------------------------- the application

  #bind(): void {
    const dice = this.#dice;
    const { udp } = this.#core;
    const port = dice.of(PORTS);
    const subnet = dice.of([undefined, Subnet.parse("10.0.0.2"), Subnet.parse("fd00::/64")]);
    const binding = { subnet, firstPort: port, lastPort: dice.chance(0.2) ? port + 50 : port };
    if (dice.chance(0.4)) {
      const gone = dice.of([...this.#sockets, ...this.#ports, undefined]);
      if (gone !== undefined) udp.unbind(gone);
      if (gone instanceof UdpSocket) this.#sockets.delete(gone);
      if (gone instanceof FlowPort) this.#ports.delete(gone);
    } else if (dice.chance(0.5)) {
      const bound = udp.bindSocket(binding);
      if (typeof bound !== "string") this.#sockets.add(bound.socket);
    } else {
      const bound = udp.bindFlows(binding);
      if (typeof bound !== "string") this.#ports.add(bound);
    }
  }

  #act(): void {
    const dice = this.#dice;
    const { udp } = this.#core;
    const who = dice.of([...this.#sockets, ...this.#flows, undefined]);
    if (who === undefined) return;
    const kind = dice.below(20);
    if (kind < 14 || who instanceof UdpSocket) {
      for (let i = dice.below(10); i > 0; i--) this.#readFrom(who);
      return;
    }
    if (kind < 17) udp.sendInFlow(who, new Uint8Array(dice.of(SIZES)), this.#now);
    else if (kind < 18) udp.flows.setIdleTimeout(who, dice.of([10, 1000, 5000]), this.#now);
    else {
      if (kind < 19) udp.flows.close(who);
      else udp.flows.finish(who, this.#now);
      this.#flows.delete(who);
    }
  }

  #readFrom(who: UdpSocket | Flow): void {
    const datagram = who.queue.shift();
    if (datagram === undefined) return;
    this.read++;
    if (who instanceof Flow) requireOwn(who, datagram);
    const { data, remotePort: from, localPort: to } = datagram;
    const marked = (data[0]! << 8 | data[1]!) === from && (data[2]! << 8 | data[3]!) === to;
    const isWhole = data.subarray(MARK).every((byte) => byte === ((from ^ to) & 255));
    if (!marked || !isWhole) throw new Error(`a datagram from ${from} to ${to} was corrupted`);
  }

  // ---------------------------------------------------------------- the driver

  #pass(ms: number): void {
    this.#now += ms;
    for (let i = 0; this.#core.nextTimeout() <= this.#now; i++) {
      if (i > 10_000) throw new Error("time does not advance");
      this.#core.handleTimeout(this.#now);
    }
  }

  #settle(): void {
    while (this.#core.pollTransmit(this.#out, this.#now)) {
      this.sent++;
      const packet = new Uint8Array(this.#out.byteLength);
      this.#out.copyTo(packet, 0);
      const protocol = packet[packet[0]! >>> 4 === 4 ? 9 : 6];
      if (protocol === 17 || protocol === 44) this.#last = packet;
    }
    for (let one = this.#core.udp.pollEvent(); one; one = this.#core.udp.pollEvent()) {
      if (one instanceof FlowPort) {
        for (const flow of one.fresh.splice(0)) this.#flows.add(flow);
      }
      if (one instanceof UdpSocket) this.errors += one.errors.splice(0).length;
    }
  }

  // ---------------------------------------------------------------- looking

  #check(): void {
    const { stats, udp } = this.#core;
    const queues = [...this.#sockets, ...this.#flows].map(({ queue }) => queue);
    const waiting = queues.reduce((sum, { count }) => sum + count, 0);
    const accounted = this.read + waiting + stats.dropped("udp-unread");
    must(
      stats.datagramsIn === accounted,
      `${stats.datagramsIn} arrived, ${accounted} are accounted for`,
    );
    must(udp.queuedBytes <= LIMITS.maxMemory, `${udp.queuedBytes} bytes are queued`);
    must(queues.every(({ count }) => count <= LIMITS.maxDatagrams), "a long queue");
    must(udp.flows.table.count <= LIMITS.maxFlows, `${udp.flows.table.count} flows`);
    const { flowsOpened, flowsEnded } = stats;
    must(flowsOpened - flowsEnded === udp.flows.table.count, "flows are counted wrong");
    const alive = [...this.#flows].filter(({ end }) => end === undefined).length;
    must(alive === udp.flows.table.count, "the owner was not notified of a flow's end");
  }

  /** No more packets arrive: nothing may be left. */
  #end(): void {
    const { udp } = this.#core;
    for (let i = 0; this.#core.nextTimeout() !== Infinity; i++) {
      must(i < 10_000, "it does not come to rest");
      this.#pass(Math.max(0, this.#core.nextTimeout() - this.#now));
    }
    must(udp.flows.table.count === 0, "flows are left");
    for (const flow of this.#flows) udp.flows.close(flow);
    for (const socket of this.#sockets) udp.unbind(socket);
    must(udp.queuedBytes === 0, `${udp.queuedBytes} bytes are still queued`);
  }
}

function requireOwn(flow: Flow, { local, localPort, remote, remotePort }: Datagram): void {
  const isOwn = flow.localPort === localPort && flow.remotePort === remotePort &&
    same(flow.local, local) && same(flow.remote, remote);
  must(isOwn, "a flow was given another's datagram");
}

function same(one: IpAddress, other: IpAddress): boolean {
  return one.equals(other);
}

function must(holds: boolean, what: string): void {
  if (!holds) throw new Error(what);
}
