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
import { acceptSyn, openPassive } from "../tcp/arrive/listen.ts";
import * as calls from "../tcp/calls.ts";
import type { TcpConfig } from "../tcp/config.ts";
import { endConnection } from "../tcp/end.ts";
import { initialSequence, KeyedHash, SIPHASH_KEY_LENGTH } from "../tcp/isn.ts";
import { nextSegment } from "../tcp/output.ts";
import { EVENT, Tcb, type TcpEnvironment } from "../tcp/tcb.ts";
import { handleTimeouts } from "../tcp/timeouts.ts";
import type { IpAddress, Subnet } from "../wire/address.ts";
import { readI32, readU16 } from "../wire/bytes.ts";
import { addBytes, fold } from "../wire/checksum.ts";
import type { DropReason } from "../wire/drop_reason.ts";
import { IpHeader, parseIp, PROTOCOL } from "../wire/ip.ts";
import { seqGt } from "../wire/seq.ts";
import { FLAG, parseTcp, Segment } from "../wire/tcp.ts";
import { Deadlines } from "./deadlines.ts";
import { Demux } from "./demux.ts";
import { Fragmentation } from "./fragmentation.ts";
import { Icmp } from "./icmp.ts";
import type { ChecksumState, LinkFeatures } from "./link.ts";
import { Listener } from "./listener.ts";
import { choosePort } from "./ports.ts";
import { RateLimit } from "./rate_limit.ts";
import { Reassembly } from "./reassembly.ts";
import { destinationOf, type Packet, resetFor, sourceOf, unreachable } from "./replies.ts";
import { Stats } from "./stats.ts";
import { SynCookies } from "./syn_cookies.ts";

/** Bytes of secret that a stack wants. */
export const SECRET_LENGTH: number = SIPHASH_KEY_LENGTH + 8;

/** Packets of its own that wait to be sent, at most; more are dropped. */
const MAX_REPLIES = 1024;
/** Echo replies and ICMP errors per second. */
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

/** Why a call was refused. */
export type Refusal = "ADDRESS_IN_USE" | "ADDRESS_NOT_AVAILABLE" | "INVALID_ADDRESS";

/** What a listener is asked for. */
export interface ListenRequest {
  readonly address: IpAddress | undefined;
  /** 0: any free one. */
  readonly port: number;
  readonly backlog: number;
  readonly decides: boolean;
}

/** What a connection is asked for. */
export interface ConnectRequest {
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly local: IpAddress | undefined;
  /** 0: any free one. */
  readonly localPort: number;
}

/** Many connections on one link. */
export class CoreStack {
  readonly stats: Stats = new Stats();
  readonly #options: CoreOptions;
  #subnets: readonly Subnet[];
  readonly #environment: TcpEnvironment;
  readonly #demux: Demux;
  readonly #icmp: Icmp;
  readonly #errorLimit: RateLimit = new RateLimit(ICMP_PER_SECOND, ICMP_PER_SECOND);
  readonly #deadlines: Deadlines = new Deadlines();
  readonly #hash: KeyedHash;
  readonly #cookies: SynCookies;
  readonly #reassembly: Reassembly;
  readonly #fragmentation: Fragmentation;
  readonly #ip = new IpHeader();
  readonly #segment = new Segment();
  readonly #output = new Queue<Tcb>();
  readonly #connectionEvents = new Queue<Tcb>();
  readonly #listenerEvents = new Queue<Listener>();
  readonly #replies = new Queue<Packet>();
  /** Packets from this stack to itself. */
  readonly #loopback = new Queue<Packet>();
  readonly #timeWait = new Set<Tcb>();
  #portCounter = 0;

  constructor(options: CoreOptions) {
    const { features, secret } = options;
    this.#options = options;
    this.#subnets = options.subnets;
    this.#environment = { ...features, pool: new RingPool(), news: new AckNews() };
    this.#hash = new KeyedHash(secret);
    this.#cookies = new SynCookies(this.#hash);
    this.#reassembly = new Reassembly(this.stats, this.#errorLimit, options.tcp.hopLimit);
    this.#fragmentation = new Fragmentation(features.mtu, this.#hash);
    this.#demux = new Demux(readI32(secret, SIPHASH_KEY_LENGTH));
    this.#portCounter = readU16(secret, SIPHASH_KEY_LENGTH + 4);
    this.#icmp = new Icmp(this.#demux, new RateLimit(ICMP_PER_SECOND, ICMP_PER_SECOND));
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
    if (!this.#isOwn(ip.d0, ip.d1, ip.d2, ip.d3)) return "not-ours";
    if (ip.isFragment) return this.#receiveFragment(packet, now);
    if (ip.protocol === PROTOCOL.TCP) {
      if (checksum === "full" && !this.#checksumHolds(packet)) return "tcp-checksum";
      return this.#receiveTcp(packet, segmentSize, now);
    }
    if (!this.#isUnicastSource()) return "ip-source";
    if (ip.protocol === PROTOCOL.ICMP || ip.protocol === PROTOCOL.ICMPV6) {
      return this.#receiveIcmp(packet, now);
    }
    if (ip.protocol === PROTOCOL.UDP) return this.#receiveUdp(packet, checksum, now);
    return this.#refuse(packet, "protocol", "protocol", now);
  }

  /** What the last missing one completes is received like any packet; no link vouches for it. */
  #receiveFragment(packet: Uint8Array, now: number): DropReason | undefined {
    if (!this.#isUnicastSource()) return "ip-source";
    const { drop, whole, error } = this.#reassembly.add(this.#ip, packet, now);
    if (error !== undefined) this.#queueReply(error);
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
      return this.#segmentWithoutConnection(now);
    }
    const state = tcb.state;
    const dropped = segmentArrives(tcb, segment, now);
    if (dropped === "tcp-ack-unsent" && (state === "SYN-SENT" || state === "SYN-RECEIVED")) {
      this.#sendReset();
    }
    this.#settle(tcb);
    return dropped;
  }

  /** RFC 9293 3.6.1, MAY-2 and RFC 6191: a new connection takes the place of one in TIME-WAIT. */
  #isReopening(tcb: Tcb, segment: Segment): boolean {
    if (tcb.state !== "TIME-WAIT" || !segment.has(FLAG.SYN) || segment.has(FLAG.ACK)) return false;
    const newer = seqGt(segment.seq, tcb.rcvNxt) ||
      (tcb.timestamps && segment.hasTimestamps && seqGt(segment.tsVal, tcb.tsRecent));
    if (!newer) return false;
    endConnection(tcb, undefined);
    this.#settle(tcb);
    return true;
  }

  /** RFC 9293 3.10.7.1 and 3.10.7.2. */
  #segmentWithoutConnection(now: number): DropReason | undefined {
    const segment = this.#segment;
    const listener = this.#demux.findListener(this.#ip, segment.destinationPort);
    if (segment.has(FLAG.RST)) return listener ? "tcp-rst-listen" : "tcp-no-connection";
    if (!this.#isUnicastSource()) return "tcp-not-unicast";
    const mayBeCookie = segment.has(FLAG.ACK) && !segment.has(FLAG.SYN);
    if (listener !== undefined && mayBeCookie && this.#openFromCookie(listener, now)) {
      return undefined;
    }
    if (listener === undefined || segment.has(FLAG.ACK)) {
      this.#sendReset();
      return "tcp-no-connection";
    }
    if (!segment.has(FLAG.SYN)) return "tcp-flags-listen";
    return this.#openPassive(listener, now);
  }

  #openPassive(listener: Listener, now: number): DropReason | undefined {
    if (this.#isFull()) return "tcp-connections";
    if (listener.isFull) return this.#answerWithCookie(listener, now);
    const segment = this.#segment;
    const tcb = this.#newTcbForSegment();
    this.#enter(tcb);
    tcb.listener = listener;
    openPassive(tcb, segment, this.#initialSequence(tcb, now), now);
    listener.halfOpen.add(tcb);
    if (listener.decides) {
      tcb.synDecision = "pending";
      listener.undecided.push(tcb);
      this.#notifyListener(listener);
    } else {
      acceptSyn(tcb);
    }
    this.#settle(tcb);
    return undefined;
  }

  /** RFC 4987 3.6: half-open connections are all taken; the peer brings back what is needed. */
  #answerWithCookie(listener: Listener, now: number): DropReason | undefined {
    // A decision cannot be put off until the ACK comes.
    if (listener.decides || listener.ready.length >= listener.backlog) return "tcp-backlog";
    this.stats.synCookiesSent++;
    this.#queueReply(this.#cookies.answer(this.#newTcbForSegment(), this.#segment, now));
    return undefined;
  }

  /** The ACK of a SYN,ACK that was a cookie opens the connection after all. */
  #openFromCookie(listener: Listener, now: number): boolean {
    if (listener.decides || !this.#cookies.isInUse(now)) return false;
    const tcb = this.#newTcbForSegment();
    if (!this.#cookies.restore(tcb, this.#segment, now)) return false;
    // A full queue drops the ACK: the peer sends its data, and with it the ACK, again.
    if (listener.ready.length >= listener.backlog || this.#isFull()) return true;
    this.stats.synCookiesReturned++;
    this.#enter(tcb);
    tcb.listener = listener;
    listener.halfOpen.add(tcb);
    segmentArrives(tcb, this.#segment, now);
    this.#settle(tcb);
    return true;
  }

  #receiveIcmp(packet: Uint8Array, now: number): DropReason | undefined {
    const { hopLimit } = this.#options.tcp;
    const outcome = this.#icmp.receive(this.#ip, packet, this.#pseudoSum(), hopLimit, now);
    if (outcome.reply !== undefined) {
      this.stats.echoReplies++;
      this.#queueReply(outcome.reply);
    }
    if (outcome.tcb !== undefined) this.#settle(outcome.tcb);
    return outcome.drop;
  }

  #receiveUdp(packet: Uint8Array, checksum: ChecksumState, now: number): DropReason | undefined {
    const { payloadStart, payloadEnd } = this.#ip;
    if (payloadEnd - payloadStart < 8) return "udp-short";
    const isSummed = readU16(packet, payloadStart + 6) !== 0;
    if (isSummed && checksum === "full" && !this.#checksumHolds(packet)) return "udp-checksum";
    return this.#refuse(packet, "port", "udp-port", now);
  }

  #refuse(
    packet: Uint8Array,
    what: "protocol" | "port",
    reason: DropReason,
    now: number,
  ): DropReason {
    if (this.#errorLimit.take(now)) {
      this.stats.errorsSent++;
      this.#queueReply(unreachable(this.#ip, packet, what, this.#options.tcp.hopLimit));
    }
    return reason;
  }

  #sendReset(): void {
    this.stats.resetsSent++;
    this.#queueReply(resetFor(this.#ip, this.#segment, this.#options.tcp.hopLimit));
  }

  #queueReply(reply: Packet): void {
    const packets = this.#fragmentation.split(reply);
    if (this.#replies.count + packets.length > MAX_REPLIES) this.stats.linkFull++;
    else for (const packet of packets) this.#replies.push(packet);
  }

  #pseudoSum(): number {
    const ip = this.#ip;
    const length = ip.payloadEnd - ip.payloadStart;
    return halves(ip.s3) + halves(ip.d3) +
      (ip.version === 4 ? 0 : halves(ip.s0) + halves(ip.s1) + halves(ip.s2) + halves(ip.d0) +
        halves(ip.d1) + halves(ip.d2)) +
      ip.protocol + (length & 0xffff) + (length >>> 16);
  }

  #checksumHolds(packet: Uint8Array): boolean {
    const { payloadStart, payloadEnd } = this.#ip;
    return fold(addBytes(this.#pseudoSum(), packet, payloadStart, payloadEnd)) === 0xffff;
  }

  #isOwn(w0: number, w1: number, w2: number, w3: number): boolean {
    for (const { address } of this.#subnets) {
      if (address.w3 === w3 && address.w2 === w2 && address.w1 === w1 && address.w0 === w0) {
        return true;
      }
    }
    return false;
  }

  /** RFC 9293 3.9.2.3: a peer is one host. */
  #isUnicastSource(): boolean {
    return this.#isUnicast(sourceOf(this.#ip));
  }

  #isUnicast(address: IpAddress): boolean {
    return address.isUnicast && !this.#subnets.some((own) => own.isBroadcast(address));
  }

  // ---------------------------------------------------------------- packets out

  /** Writes the next packet to `out`; false: there is none now. */
  pollTransmit(out: OutgoingPacket, now: number): boolean {
    for (;;) {
      const reply = this.#replies.shift();
      if (reply !== undefined) wrapReply(reply, out);
      else if (!this.#nextFromConnections(out, now)) {
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
      const tcb = this.#output.shift();
      if (tcb === undefined) return false;
      tcb.inOutputQueue = false;
      if (nextSegment(tcb, now, out)) {
        // It goes to the end of the queue: connections take turns.
        this.#settle(tcb);
        return true;
      }
      if (!tcb.released) this.#deadlines.update(tcb);
    }
  }

  /** A packet for this stack itself never reaches the link. */
  #keepLocal(out: OutgoingPacket): boolean {
    const at = OutgoingPacket.HEADROOM;
    const { header } = out;
    const isV4 = header[at]! >>> 4 === 4;
    const own = isV4 ? this.#isOwn(0, 0, 0xffff, readI32(header, at + 16)) : this.#isOwn(
      readI32(header, at + 24),
      readI32(header, at + 28),
      readI32(header, at + 32),
      readI32(header, at + 36),
    );
    if (!own) return false;
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

  /** The next connection that something has happened to; `takeEvents()` says what. */
  pollConnection(): Tcb | undefined {
    const tcb = this.#connectionEvents.shift();
    if (tcb !== undefined) tcb.inEventQueue = false;
    return tcb;
  }

  /** The next listener with something in `ready` or `undecided`. */
  pollListener(): Listener | undefined {
    const listener = this.#listenerEvents.shift();
    if (listener !== undefined) listener.inEventQueue = false;
    return listener;
  }

  // ---------------------------------------------------------------- time

  /** When `handleTimeout` has to be called, `Infinity` when nothing waits; may be too early. */
  nextTimeout(): number {
    return Math.min(this.#deadlines.next(), this.#reassembly.nextTimeout());
  }

  /** Does everything that is due at `now`. */
  handleTimeout(now: number): void {
    for (const error of this.#reassembly.expire(now)) this.#queueReply(error);
    for (;;) {
      const tcb = this.#deadlines.takeDue(now);
      if (tcb === undefined) return;
      handleTimeouts(tcb, now);
      this.#settle(tcb);
    }
  }

  // ---------------------------------------------------------------- calls

  /** LISTEN. */
  listen(request: ListenRequest): Listener | Refusal {
    const { address } = request;
    if (address !== undefined && !this.#isOwn(address.w0, address.w1, address.w2, address.w3)) {
      return "ADDRESS_NOT_AVAILABLE";
    }
    const port = request.port > 0
      ? request.port
      : this.#freePort(0, (candidate) => !this.#demux.hasListener(candidate));
    if (port === undefined) return "ADDRESS_NOT_AVAILABLE";
    const listener = new Listener({ ...request, port });
    return this.#demux.addListener(listener) ? listener : "ADDRESS_IN_USE";
  }

  /** Stops listening; connections that were not accepted are reset (seed: close(lsn_fd)). */
  closeListener(listener: Listener): void {
    this.#demux.removeListener(listener);
    for (const tcb of [...listener.halfOpen, ...listener.ready]) {
      calls.abort(tcb, "CONNECTION_ABORTED");
      this.#settle(tcb);
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
    this.#settle(tcb);
  }

  /** OPEN, active. */
  connect(request: ConnectRequest, now: number): Tcb | Refusal {
    const { remote, remotePort } = request;
    if (!this.#isUnicast(remote) || remotePort === 0) return "INVALID_ADDRESS";
    const local = request.local ?? this.#sourceFor(remote);
    if (local === undefined || !this.#isOwn(local.w0, local.w1, local.w2, local.w3)) {
      return "ADDRESS_NOT_AVAILABLE";
    }
    const isFree = (port: number) => this.#demux.get(local, port, remote, remotePort) === undefined;
    const offset = this.#hash.connection(local, 0, remote, remotePort);
    const localPort = request.localPort > 0 ? request.localPort : this.#freePort(offset, isFree);
    if (localPort === undefined || this.#isFull()) return "ADDRESS_NOT_AVAILABLE";
    if (!isFree(localPort)) return "ADDRESS_IN_USE";
    const tcb = this.#newTcb(local, localPort, remote, remotePort);
    this.#enter(tcb);
    calls.openActive(tcb, this.#initialSequence(tcb, now), now);
    this.#settle(tcb);
    return tcb;
  }

  /** SEND: takes what there is room for from `from` on; returns how much. */
  send(tcb: Tcb, bytes: Uint8Array, from: number, now: number): number {
    const taken = calls.sendText(tcb, bytes, from, now);
    this.#settle(tcb);
    return taken;
  }

  /** RECEIVE: copies what is there; returns how much. */
  read(tcb: Tcb, target: Uint8Array, now: number): number {
    const count = calls.receiveText(tcb, target, now);
    this.#settle(tcb);
    return count;
  }

  /** Everything read so far has been dealt with. */
  markProcessed(tcb: Tcb, now: number): void {
    calls.markProcessed(tcb, now);
    this.#settle(tcb);
  }

  closeWrite(tcb: Tcb): void {
    calls.closeWrite(tcb);
    this.#settle(tcb);
  }

  close(tcb: Tcb, now: number): void {
    calls.close(tcb, now);
    this.#settle(tcb);
  }

  abort(tcb: Tcb): void {
    calls.abort(tcb, "CONNECTION_ABORTED");
    this.#settle(tcb);
  }

  /** Turns keep-alive probes on or off (RFC 9293 3.8.4). */
  setKeepAlive(tcb: Tcb, on: boolean, now: number): void {
    calls.setKeepAlive(tcb, on, now);
    this.#settle(tcb);
  }

  /** Takes one more own address. */
  addSubnet(subnet: Subnet): void {
    this.#subnets = [...this.#subnets, subnet];
  }

  /** Gives an own address up; nothing is sent from it any more. */
  removeAddress(address: IpAddress): void {
    this.#subnets = this.#subnets.filter((own) => !own.address.equals(address));
    for (const tcb of this.#demux.connections()) {
      if (!tcb.local.equals(address)) continue;
      endConnection(tcb, "ADDRESS_NOT_AVAILABLE");
      this.#settle(tcb);
    }
  }

  /** Resets every connection and forgets every listener. */
  shutDown(): void {
    for (const listener of this.#demux.listeners()) this.closeListener(listener);
    for (const tcb of this.#demux.connections()) {
      calls.abort(tcb, "STACK_CLOSED");
      this.#settle(tcb);
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
    return this.#deadlines.count;
  }

  // ---------------------------------------------------------------- tables

  /** A connection for the segment at hand, in no table yet. */
  #newTcbForSegment(): Tcb {
    const { sourcePort, destinationPort } = this.#segment;
    return this.#newTcb(destinationOf(this.#ip), destinationPort, sourceOf(this.#ip), sourcePort);
  }

  #newTcb(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): Tcb {
    const { tcp } = this.#options;
    const tcb = new Tcb(tcp, this.#environment, local, localPort, remote, remotePort);
    tcb.tsOffset = this.#hash.connection(remote, remotePort, local, localPort);
    return tcb;
  }

  #enter(tcb: Tcb): void {
    this.#demux.add(tcb);
    this.stats.connectionsOpened++;
  }

  #initialSequence(tcb: Tcb, now: number): number {
    return initialSequence(
      this.#hash,
      tcb.local,
      tcb.localPort,
      tcb.remote,
      tcb.remotePort,
      now,
    );
  }

  #isFull(): boolean {
    return this.#demux.count >= this.#options.maxConnections;
  }

  #freePort(offset: number, isFree: (port: number) => boolean): number | undefined {
    return choosePort(offset, this.#portCounter++, isFree);
  }

  /** RFC 6724 in small: the address whose network the peer is in, else the first of its family. */
  #sourceFor(remote: IpAddress): IpAddress | undefined {
    const near = this.#subnets.find((own) => own.contains(remote)) ??
      this.#subnets.find((own) => own.address.isV4 === remote.isV4);
    return near?.address;
  }

  /** After every change of a connection: tables, queues and deadlines follow it. */
  #settle(tcb: Tcb): void {
    if (tcb.listener !== undefined) this.#settleListener(tcb, tcb.listener as Listener);
    if (tcb.events !== 0 && !tcb.inEventQueue) {
      tcb.inEventQueue = true;
      this.#connectionEvents.push(tcb);
    }
    if (tcb.released) {
      this.#forget(tcb);
      return;
    }
    if (tcb.state === "TIME-WAIT") this.#boundTimeWait(tcb);
    this.#deadlines.update(tcb);
    if (!tcb.inOutputQueue) {
      tcb.inOutputQueue = true;
      this.#output.push(tcb);
    }
  }

  /** A connection is its listener's until the application takes it. */
  #settleListener(tcb: Tcb, listener: Listener): void {
    if (tcb.released) {
      listener.halfOpen.delete(tcb);
      const index = listener.ready.indexOf(tcb);
      if (index >= 0) listener.ready.splice(index, 1);
      tcb.listener = undefined;
      this.#notifyListener(listener);
    } else if ((tcb.events & EVENT.OPENED) !== 0 && listener.halfOpen.delete(tcb)) {
      this.stats.connectionsAccepted++;
      listener.ready.push(tcb);
      this.#notifyListener(listener);
    }
  }

  #notifyListener(listener: Listener): void {
    if (listener.inEventQueue) return;
    listener.inEventQueue = true;
    this.#listenerEvents.push(listener);
  }

  #boundTimeWait(tcb: Tcb): void {
    this.#timeWait.add(tcb);
    if (this.#timeWait.size <= this.#options.maxTimeWait) return;
    const [oldest] = this.#timeWait;
    endConnection(oldest!, undefined);
    this.#settle(oldest!);
  }

  #forget(tcb: Tcb): void {
    this.#deadlines.remove(tcb);
    if (!tcb.inTables) return;
    tcb.inTables = false;
    this.#timeWait.delete(tcb);
    this.#demux.remove(tcb);
    this.stats.connectionsEnded++;
    if (tcb.error === "CONNECTION_RESET") this.stats.connectionsReset++;
  }
}

function halves(word: number): number {
  return (word >>> 16) + (word & 0xffff);
}

function wrapReply(reply: Packet, out: OutgoingPacket): void {
  const isV4 = reply[0]! >>> 4 === 4;
  const headerLength = isV4 ? 20 : 40;
  out.header.set(reply.subarray(0, headerLength), OutgoingPacket.HEADROOM);
  out.headerLength = out.ipHeaderLength = headerLength;
  out.payload = reply;
  out.payloadStart = headerLength;
  out.payloadLength = reply.length - headerLength;
  out.wrappedLength = out.segmentSize = 0;
  out.checksumPartial = false;
}
