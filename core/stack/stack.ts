/**
 * The sans-IO object: packets, calls and `now` go in; packets, events and one deadline come out.
 *
 * After every call that changes something, {@link CoreStack.pollTransmit} and
 * {@link CoreStack.pollEvent} have to be called until they have nothing more.
 *
 * @module
 */
import { OutgoingPacket } from "../buffers/outgoing_packet.ts";
import { Queue } from "../buffers/queue.ts";
import { RingPool } from "../buffers/ring_pool.ts";
import { AckNews } from "../tcp/ack_news.ts";
import { segmentArrives } from "../tcp/arrive.ts";
import { acceptSyn } from "../tcp/arrive/listen.ts";
import * as calls from "../tcp/calls.ts";
import type { TcpConfig } from "../tcp/config.ts";
import { endConnection } from "../tcp/end.ts";
import { KeyedHash, SIPHASH_KEY_LENGTH } from "../tcp/isn.ts";
import { nextSegment } from "../tcp/output.ts";
import type { Tcb } from "../tcp/tcb.ts";
import { handleTimeouts } from "../tcp/timeouts.ts";
import type { IpAddress, Subnet } from "../wire/address.ts";
import { readI32, readU16 } from "../wire/bytes.ts";
import type { DropReason } from "../wire/drop_reason.ts";
import {
  IpHeader,
  parseIp,
  payloadChecksumHolds,
  PROTOCOL,
  pseudoHeaderSumOf,
} from "../wire/ip.ts";
import { seqGt } from "../wire/seq.ts";
import { FLAG, parseTcp, Segment } from "../wire/tcp.ts";
import { Connections } from "./connections.ts";
import { Demux } from "./demux.ts";
import { Fragmentation } from "./fragmentation.ts";
import { Icmp } from "./icmp.ts";
import type { ChecksumState, LinkFeatures } from "./link.ts";
import { Listener } from "./listener.ts";
import { Outbox } from "./outbox.ts";
import { OwnAddresses } from "./own_addresses.ts";
import { PassiveOpen } from "./passive_open.ts";
import { RateLimit } from "./rate_limit.ts";
import { Reassembly } from "./reassembly.ts";
import { type Packet, sourceOf } from "./replies.ts";
import type { ConnectRequest, ListenRequest, Refusal } from "./requests.ts";
import { Sharding } from "./shard.ts";
import { Stats } from "./stats.ts";

/** Bytes of secret that a stack wants. */
export const SECRET_LENGTH: number = SIPHASH_KEY_LENGTH + 8;

/** Echo replies and, apart from these, ICMP errors per second. */
const ICMP_PER_SECOND = 1000;

/** What a stack is made of. */
export interface CoreOptions {
  readonly features: LinkFeatures;
  /** Own addresses, with the length of their network's prefix. */
  readonly subnets: readonly Subnet[];
  readonly tcp: TcpConfig;
  /** Random bytes, `SECRET_LENGTH` of them. */
  readonly secret: Uint8Array;
  /** Connections at the same time, at most. */
  readonly maxConnections: number;
  /** Of these in TIME-WAIT, at most; the oldest goes first. */
  readonly maxTimeWait: number;
}

/** Many connections on one link. */
export class CoreStack {
  readonly stats: Stats = new Stats();
  readonly sharding: Sharding;
  readonly #own: OwnAddresses;
  readonly #hash: KeyedHash;
  readonly #demux: Demux;
  readonly #connections: Connections;
  readonly #outbox: Outbox;
  readonly #passiveOpen: PassiveOpen;
  readonly #icmp: Icmp;
  readonly #reassembly: Reassembly;
  readonly #ip = new IpHeader();
  readonly #segment = new Segment();
  /** Packets from this stack to itself. */
  readonly #loopback = new Queue<Packet>();

  constructor(options: CoreOptions) {
    const { features, secret, tcp } = options;
    const { hopLimit } = tcp;
    const errorLimit = new RateLimit(ICMP_PER_SECOND, ICMP_PER_SECOND);
    this.#own = new OwnAddresses(options.subnets);
    this.sharding = new Sharding(features.shard, this.#own);
    this.#hash = new KeyedHash(secret);
    this.#demux = new Demux(readI32(secret, SIPHASH_KEY_LENGTH));
    this.#connections = new Connections({
      ...options,
      demux: this.#demux,
      hash: this.#hash,
      stats: this.stats,
      environment: { ...features, pool: new RingPool(), news: new AckNews(), freeRanges: [] },
      firstPort: readU16(secret, SIPHASH_KEY_LENGTH + 4),
    });
    const fragmentation = new Fragmentation(features.mtu, this.#hash);
    this.#outbox = new Outbox(fragmentation, errorLimit, this.stats, hopLimit);
    this.#passiveOpen = new PassiveOpen(this.#connections, this.#outbox, this.stats, this.#hash);
    this.#reassembly = new Reassembly(this.stats, errorLimit, hopLimit);
    const echoLimit = new RateLimit(ICMP_PER_SECOND, ICMP_PER_SECOND);
    this.#icmp = new Icmp(this.#demux, echoLimit, hopLimit);
  }

  // ---------------------------------------------------------------- packets in

  /** Takes a packet in; nothing of `packet` is kept. */
  receive(
    packet: Uint8Array,
    size: number,
    checksum: ChecksumState,
    segmentSize: number,
    now: number,
  ): void {
    this.stats.packetsIn++;
    this.stats.bytesIn += size;
    const dropped = this.#receiveIp(packet, size, checksum, segmentSize, now);
    if (dropped !== undefined) this.stats.drop(dropped);
  }

  #receiveIp(
    packet: Uint8Array,
    size: number,
    checksum: ChecksumState,
    segmentSize: number,
    now: number,
  ): DropReason | undefined {
    const ip = this.#ip;
    const refused = parseIp(packet, size, ip);
    if (refused !== undefined) return refused;
    if (!this.#own.hasWords(ip.d0, ip.d1, ip.d2, ip.d3)) return "not-ours";
    if (ip.isFragment) return this.#receiveFragment(packet, now);
    if (ip.protocol === PROTOCOL.TCP) {
      if (checksum === "full" && !payloadChecksumHolds(this.#ip, packet)) return "tcp-checksum";
      return this.#receiveTcp(packet, segmentSize, now);
    }
    if (!this.#isUnicastSource()) return "ip-source";
    if (ip.protocol === PROTOCOL.ICMP || ip.protocol === PROTOCOL.ICMPV6) {
      return this.#receiveIcmp(packet, now);
    }
    if (ip.protocol === PROTOCOL.UDP) return this.#receiveUdp(packet, checksum, now);
    this.#outbox.unreachable(ip, packet, "protocol", now);
    return "protocol";
  }

  /** What the last missing one completes is received like any packet; no link vouches for it. */
  #receiveFragment(packet: Uint8Array, now: number): DropReason | undefined {
    if (!this.#isUnicastSource()) return "ip-source";
    const { drop, whole, error } = this.#reassembly.add(this.#ip, packet, now);
    if (error !== undefined) this.#outbox.push(error);
    return whole === undefined ? drop : this.#receiveIp(whole, whole.length, "full", 0, now);
  }

  #receiveTcp(packet: Uint8Array, segmentSize: number, now: number): DropReason | undefined {
    const ip = this.#ip;
    const segment = this.#segment;
    const refused = parseTcp(packet, ip.payloadStart, ip.payloadEnd, segment);
    if (refused !== undefined) return refused;
    segment.ecn = ip.trafficClass & 3;
    segment.wireSegments = segmentSize > 0 ? Math.ceil(segment.textLength / segmentSize) || 1 : 1;
    const tcb = this.#demux.find(ip, segment);
    if (tcb === undefined || this.#isReopening(tcb, segment)) {
      if (this.sharding.passOn(ip, segment, packet, segmentSize)) return this.#handedOver();
      return this.#segmentWithoutConnection(now);
    }
    const state = tcb.state;
    const dropped = segmentArrives(tcb, segment, now);
    if (dropped === "tcp-ack-unsent" && (state === "SYN-SENT" || state === "SYN-RECEIVED")) {
      this.#outbox.reset(ip, segment);
    }
    this.#connections.settle(tcb);
    return dropped;
  }

  /** RFC 9293 3.6.1, MAY-2 and RFC 6191: a new connection takes the place of one in TIME-WAIT. */
  #isReopening(tcb: Tcb, segment: Segment): boolean {
    if (tcb.state !== "TIME-WAIT" || !segment.has(FLAG.SYN) || segment.has(FLAG.ACK)) return false;
    const newer = seqGt(segment.seq, tcb.rcvNxt) ||
      (tcb.timestamps && segment.hasTimestamps && seqGt(segment.tsVal, tcb.tsRecent));
    if (!newer) return false;
    endConnection(tcb, undefined);
    this.#connections.settle(tcb);
    return true;
  }

  /** RFC 9293 3.10.7.1 and 3.10.7.2. */
  #segmentWithoutConnection(now: number): DropReason | undefined {
    const segment = this.#segment;
    const listener = this.#demux.findListener(this.#ip, segment.destinationPort);
    if (segment.has(FLAG.RST)) return listener ? "tcp-rst-listen" : "tcp-no-connection";
    if (!this.#isUnicastSource()) return "tcp-not-unicast";
    if (listener !== undefined) {
      return this.#passiveOpen.receive(listener, this.#ip, segment, now);
    }
    this.#outbox.reset(this.#ip, segment);
    return "tcp-no-connection";
  }

  #receiveIcmp(packet: Uint8Array, now: number): DropReason | undefined {
    const { drop, reply, tcb, quoted } = this.#icmp.receive(
      this.#ip,
      packet,
      pseudoHeaderSumOf(this.#ip),
      now,
    );
    if (reply !== undefined) {
      this.stats.echoReplies++;
      this.#outbox.push(reply);
    }
    if (tcb !== undefined) this.#connections.settle(tcb);
    if (quoted && this.sharding.passOnError(this.#ip, quoted, packet)) return this.#handedOver();
    return drop;
  }

  #handedOver(): undefined {
    this.stats.handedOver++;
  }

  #receiveUdp(packet: Uint8Array, checksum: ChecksumState, now: number): DropReason | undefined {
    const { payloadStart, payloadEnd } = this.#ip;
    if (payloadEnd - payloadStart < 8) return "udp-short";
    const isSummed = readU16(packet, payloadStart + 6) !== 0;
    if (isSummed && checksum === "full" && !payloadChecksumHolds(this.#ip, packet)) {
      return "udp-checksum";
    }
    this.#outbox.unreachable(this.#ip, packet, "port", now);
    return "udp-port";
  }

  #isUnicastSource(): boolean {
    return this.#own.isUnicast(sourceOf(this.#ip));
  }

  // ---------------------------------------------------------------- packets out

  /** Writes the next packet to `out`; false: there is none now. */
  pollTransmit(out: OutgoingPacket, now: number): boolean {
    for (;;) {
      if (!this.#outbox.next(out) && !this.#nextFromConnections(out, now)) {
        if (this.#receiveLoopback(now)) continue;
        return false;
      }
      if (!this.#keepLocal(out)) {
        this.stats.packetsOut++;
        this.stats.bytesOut += out.byteLength;
        return true;
      }
    }
  }

  #nextFromConnections(out: OutgoingPacket, now: number): boolean {
    for (;;) {
      const tcb = this.#connections.output.shift();
      if (tcb === undefined) return false;
      tcb.inOutputQueue = false;
      if (nextSegment(tcb, now, out)) {
        // It goes to the end of the queue: connections take turns.
        this.#connections.settle(tcb);
        return true;
      }
      if (!tcb.released) this.#connections.deadlines.update(tcb);
    }
  }

  /** A packet for this stack itself never reaches the link. */
  #keepLocal(out: OutgoingPacket): boolean {
    if (!this.#own.hasDestination(out.header, OutgoingPacket.HEADROOM)) return false;
    const packet = new Uint8Array(out.byteLength);
    out.copyTo(packet, 0);
    this.#loopback.push(packet);
    return true;
  }

  #receiveLoopback(now: number): boolean {
    const packet = this.#loopback.shift();
    if (packet === undefined) return false;
    this.receive(packet, packet.length, "verified", 0, now);
    return true;
  }

  // ---------------------------------------------------------------- events out

  /** The next connection that something has happened to; its `events` say what. */
  pollConnection(): Tcb | undefined {
    const tcb = this.#connections.news.shift();
    if (tcb !== undefined) tcb.inEventQueue = false;
    return tcb;
  }

  /** The next listener with something in `ready` or `undecided`. */
  pollListener(): Listener | undefined {
    const listener = this.#connections.listenerNews.shift();
    if (listener !== undefined) listener.inEventQueue = false;
    return listener;
  }

  // ---------------------------------------------------------------- time

  /** When `handleTimeout` has to be called, `Infinity` when nothing waits; may be too early. */
  nextTimeout(): number {
    return Math.min(this.#connections.deadlines.next(), this.#reassembly.nextTimeout());
  }

  /** Does everything that is due at `now`. */
  handleTimeout(now: number): void {
    for (const error of this.#reassembly.expire(now)) this.#outbox.push(error);
    for (;;) {
      const tcb = this.#connections.deadlines.takeDue(now);
      if (tcb === undefined) return;
      handleTimeouts(tcb, now);
      this.#connections.settle(tcb);
    }
  }

  // ---------------------------------------------------------------- calls

  /** LISTEN. */
  listen(request: ListenRequest): Listener | Refusal {
    const { address } = request;
    if (address !== undefined && !this.#own.has(address)) {
      return "ADDRESS_NOT_AVAILABLE";
    }
    const port = request.port > 0
      ? request.port
      : this.#connections.freePort(0, (candidate) => !this.#demux.hasListener(candidate));
    if (port === undefined) return "ADDRESS_NOT_AVAILABLE";
    const listener = new Listener({ ...request, port });
    return this.#demux.addListener(listener) ? listener : "ADDRESS_IN_USE";
  }

  /** Stops listening; connections that were not accepted are reset (seed: close(lsn_fd)). */
  closeListener(listener: Listener): void {
    this.#demux.removeListener(listener);
    for (const tcb of [...listener.halfOpen, ...listener.ready]) {
      calls.abort(tcb, "CONNECTION_ABORTED");
      this.#connections.settle(tcb);
    }
    listener.halfOpen.clear();
    listener.ready.length = 0;
    listener.undecided.length = 0;
  }

  /** The decision about a SYN: SYN,ACK or RST. */
  decide(tcb: Tcb, accept: boolean): void {
    if (tcb.synDecision !== "pending" || tcb.released) return;
    if (accept) {
      acceptSyn(tcb);
    } else {
      // RFC 9293 3.10.7.1: the answer to a SYN that nobody wants.
      tcb.synDecision = "none";
      calls.abort(tcb, "CONNECTION_ABORTED");
    }
    this.#connections.settle(tcb);
  }

  /** OPEN, active. */
  connect(request: ConnectRequest, now: number): Tcb | Refusal {
    const { remote, remotePort } = request;
    if (!this.#own.isUnicast(remote) || remotePort === 0) return "INVALID_ADDRESS";
    const local = request.local ?? this.#own.sourceFor(remote);
    if (local === undefined || !this.#own.has(local) || this.#connections.isFull) {
      return "ADDRESS_NOT_AVAILABLE";
    }
    const isFree = (port: number) => this.#demux.get(local, port, remote, remotePort) === undefined;
    const isOurs = (port: number) => this.sharding.isOurs(local, port, remote, remotePort);
    const offset = this.#hash.connection(local, 0, remote, remotePort);
    const localPort = request.localPort > 0
      ? request.localPort
      : this.#connections.freePort(offset, (port) => isOurs(port) && isFree(port));
    if (localPort === undefined || !isOurs(localPort)) return "ADDRESS_NOT_AVAILABLE";
    if (!isFree(localPort)) return "ADDRESS_IN_USE";
    const tcb = this.#connections.create(local, localPort, remote, remotePort);
    this.#connections.enter(tcb);
    calls.openActive(tcb, this.#connections.initialSequence(tcb, now), now);
    this.#connections.settle(tcb);
    return tcb;
  }

  /** SEND: takes what there is room for from `from` on; returns how much. */
  send(tcb: Tcb, bytes: Uint8Array, from: number, now: number): number {
    const taken = calls.sendText(tcb, bytes, from, now);
    this.#connections.settle(tcb);
    return taken;
  }

  /** RECEIVE: copies what is there; returns how much. */
  read(tcb: Tcb, target: Uint8Array, now: number): number {
    const count = calls.receiveText(tcb, target, now);
    this.#connections.settle(tcb);
    return count;
  }

  /** RECEIVE without a copy: `count` bytes of `tcb.receive.view()` have been dealt with. */
  consume(tcb: Tcb, count: number, now: number): void {
    calls.consumeText(tcb, count, now);
    this.#connections.settle(tcb);
  }

  /** Everything read so far has been dealt with. */
  markProcessed(tcb: Tcb, now: number): void {
    calls.markProcessed(tcb, now);
    this.#connections.settle(tcb);
  }

  closeWrite(tcb: Tcb): void {
    calls.closeWrite(tcb);
    this.#connections.settle(tcb);
  }

  close(tcb: Tcb, now: number): void {
    calls.close(tcb, now);
    this.#connections.settle(tcb);
  }

  abort(tcb: Tcb): void {
    calls.abort(tcb, "CONNECTION_ABORTED");
    this.#connections.settle(tcb);
  }

  /** Turns Nagle's algorithm off or on (RFC 9293 3.7.4); what it held goes when it is off. */
  setNoDelay(tcb: Tcb, on: boolean): void {
    tcb.noDelay = on;
    this.#connections.settle(tcb);
  }

  /** How long close() waits: 0 is a RST at once, `undefined` without end. */
  setLinger(tcb: Tcb, ms: number | undefined): void {
    calls.setLinger(tcb, ms);
  }

  /** Only full segments leave while it is on. */
  setCork(tcb: Tcb, on: boolean): void {
    calls.setCork(tcb, on);
    this.#connections.settle(tcb);
  }

  /** How long the peer may say nothing (RFC 5482). */
  setUserTimeout(tcb: Tcb, ms: number): void {
    calls.setUserTimeout(tcb, ms);
  }

  /** Turns keep-alive probes on or off (RFC 9293 3.8.4). */
  setKeepAlive(tcb: Tcb, on: boolean, now: number): void {
    calls.setKeepAlive(tcb, on, now);
    this.#connections.settle(tcb);
  }

  /** Takes one more own address. */
  addSubnet(subnet: Subnet): void {
    this.#own.add(subnet);
  }

  /** Gives an own address up; nothing is sent from it any more. */
  removeAddress(address: IpAddress): void {
    this.#own.remove(address);
    for (const tcb of this.#demux.connections()) {
      if (!tcb.local.equals(address)) continue;
      endConnection(tcb, "ADDRESS_NOT_AVAILABLE");
      this.#connections.settle(tcb);
    }
  }

  /** Resets every connection and forgets every listener. */
  shutDown(): void {
    for (const listener of this.#demux.listeners()) this.closeListener(listener);
    for (const tcb of this.#demux.connections()) {
      calls.abort(tcb, "STACK_CLOSED");
      this.#connections.settle(tcb);
    }
  }

  /** Every connection in the tables. */
  connections(): Tcb[] {
    return this.#demux.connections();
  }

  get connectionCount(): number {
    return this.#demux.count;
  }

  /** Connections with a deadline. */
  get timerCount(): number {
    return this.#connections.deadlines.count;
  }
}
