/**
 * The sans-IO core: packets, calls and `now` go in; packets, events and one deadline come out.
 *
 * After every call that changes something, {@link CoreStack.pollTransmit}, {@link Sharding.next},
 * {@link TcpLayer.pollConnection}, {@link TcpLayer.pollListener} and {@link UdpLayer.pollEvent} have
 * to be called until they return nothing more.
 *
 * @module
 */
import { OutgoingPacket } from "../buffers/outgoing_packet.ts";
import { Queue } from "../buffers/queue.ts";
import { RingPool } from "../buffers/ring_pool.ts";
import type { TcpConfig } from "../tcp/config.ts";
import { KeyedHash } from "../tcp/isn.ts";
import { TcpCounts } from "../tcp/tcp_counts.ts";
import { ScoreboardPool } from "../tcp/recovery/scoreboard_pool.ts";
import { UDP_DEFAULTS, type UdpConfig } from "../udp/config.ts";
import { IpAddress, type Subnet } from "../wire/address.ts";
import { readI32, readU16 } from "../wire/bytes.ts";
import type { DropReason } from "../wire/drop_reason.ts";
import { SIPHASH_KEY_LENGTH } from "../wire/siphash.ts";
import {
  IpHeader,
  isGroupDestination,
  NO_NEXT_HEADER,
  parseIp,
  payloadChecksumHolds,
  PROTOCOL,
} from "../wire/ip.ts";
import { Demux } from "./demux.ts";
import { Icmp } from "./icmp/icmp.ts";
import { IcmpPolicy, type IcmpRule } from "./icmp/icmp_policy.ts";
import { Fragmentation } from "./ip/fragmentation.ts";
import { OwnAddresses } from "./ip/own_addresses.ts";
import { Reassembly } from "./ip/reassembly.ts";
import type { ChecksumState, LinkFeatures } from "./link.ts";
import type { Packet } from "./replies.ts";
import { Peers } from "./peers/peers.ts";
import type { GenerationEndpoint } from "./sharding/generations.ts";
import { Sharding } from "./sharding/shard.ts";
import { Stats } from "./stats.ts";
import { Connections } from "./tcp/connections.ts";
import { MovedConnections } from "./tcp/moved_connections.ts";
import { TcpLayer } from "./tcp/tcp_layer.ts";
import { TransmitQueue } from "./transmit_queue.ts";
import { UdpLayer } from "./udp/udp_layer.ts";
import { isUdpSuperPacket, udpSegments } from "./udp/udp_segmentation.ts";

/** Length of the secret that a stack needs, in bytes. */
export const SECRET_LENGTH: number = SIPHASH_KEY_LENGTH + 8;

/** Options of a stack. */
export interface CoreOptions {
  readonly features: LinkFeatures;
  /** Own addresses with their prefix lengths; see `OwnAddresses`. */
  readonly subnets: readonly Subnet[];
  /** Addresses in `subnets` that are not the stack's. */
  readonly excepted?: readonly Subnet[];
  readonly tcp: TcpConfig;
  /** Rules that override `DEFAULT_ICMP_RULE`, for all addresses or some. */
  readonly icmp?: readonly IcmpRule[];
  /** Default {@link UDP_DEFAULTS}. */
  readonly udp?: UdpConfig;
  /** `SECRET_LENGTH` random bytes. */
  readonly secret: Uint8Array;
  /** Maximum number of connections. */
  readonly maxConnections: number;
  /**
   * Maximum number of connections in TIME-WAIT, or closed and in FIN-WAIT-2; the oldest is evicted.
   */
  readonly maxTimeWait: number;
}

/** The stack of one link: IP, ICMP, TCP and UDP. */
export class CoreStack {
  readonly stats: Stats = new Stats();
  readonly sharding: Sharding;
  /** `undefined` without `features.peers`. */
  readonly peers: Peers | undefined;
  readonly tcp: TcpLayer;
  readonly udp: UdpLayer;
  readonly icmpPolicy: IcmpPolicy;
  readonly #own: OwnAddresses;
  readonly #transmitQueue: TransmitQueue;
  readonly #icmp: Icmp;
  readonly #reassembly: Reassembly;
  readonly #ip = new IpHeader();
  /** Packets from this stack to itself. */
  readonly #loopback = new Queue<Packet>();
  /** Set while a packet from `#loopback` is being received. */
  #isLooping = false;

  constructor(options: CoreOptions) {
    const { features, secret, tcp } = options;
    const { hopLimit } = tcp;
    this.#own = new OwnAddresses(options.subnets, options.excepted, features.insideHost);
    const policy = this.icmpPolicy = new IcmpPolicy(options.icmp ?? [], this.#own);
    this.sharding = new Sharding(features.shard, this.#own, features.generations);
    const hash = new KeyedHash(features.peers?.connectionKey ?? secret);
    const peers = this.peers = features.peers &&
      new Peers(features.peers, hash, features.shard?.index);
    const demux = new Demux(readI32(secret, SIPHASH_KEY_LENGTH));
    const connections = new Connections({
      ...options,
      demux,
      hash,
      peers,
      stats: this.stats,
      environment: {
        ...features,
        pool: new RingPool(),
        scoreboards: new ScoreboardPool(),
        counts: new TcpCounts(),
      },
      firstPort: readU16(secret, SIPHASH_KEY_LENGTH + 4),
    });
    const fragmentation = new Fragmentation(features.mtu, hash);
    this.#transmitQueue = new TransmitQueue(features, fragmentation, policy, this.stats, hopLimit);
    const tables = {
      own: this.#own,
      demux,
      connections,
      moved: new MovedConnections(readI32(secret, SIPHASH_KEY_LENGTH)),
      transmitQueue: this.#transmitQueue,
      sharding: this.sharding,
      peers,
      timestamps: tcp.timestamps,
      stats: this.stats,
    };
    this.tcp = new TcpLayer(tables, hash);
    this.udp = new UdpLayer({
      own: this.#own,
      transmitQueue: this.#transmitQueue,
      sharding: this.sharding,
      stats: this.stats,
      config: options.udp ?? UDP_DEFAULTS,
      hopLimit,
      seed: readI32(secret, SIPHASH_KEY_LENGTH + 4),
    }, hash);
    features.generations?.attach({
      own: this.#own,
      endpoints: () => endpointsOf(demux, this.udp, peers),
      announce: (connection) => peers?.announceFor(connection),
      withdraw: (connection) => peers?.forget(connection),
    });
    this.#reassembly = new Reassembly(this.stats, policy, hopLimit);
    this.#icmp = new Icmp(tables, this.udp, policy, hopLimit);
  }

  // ---------------------------------------------------------------- packets in

  /** Processes a received packet; `packet` may be reused afterwards. */
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

  /**
   * Processes a packet of a connection that has moved here; it arrived where the connection was before. Its checksum
   * has been verified.
   */
  receiveRedirected(packet: Uint8Array, segmentSize: number, now: number): void {
    this.peers?.beginRedirected();
    this.receive(packet, packet.length, "verified", segmentSize, now);
    this.peers?.finish();
  }

  /** Processes a message of another instance; `message` may be reused afterwards. */
  receiveFromPeer(message: Uint8Array, size: number, now: number): void {
    const received = this.peers?.receive(message, size, now);
    if (typeof received === "string") return this.stats.drop(received);
    if (this.peers!.takeReturn()) this.tcp.probeAll(now);
    // Every shard has to know the state of the other instances.
    if (received === undefined) return this.sharding.relayMessage(message.subarray(0, size));
    this.stats.receivedFromPeer++;
    const { packet, segmentSize } = received;
    this.sharding.setMessage(message.subarray(0, size));
    // The instance that has handed it on has verified its checksum.
    const dropped = this.#receiveIp(packet, packet.length, "verified", segmentSize, now);
    this.sharding.setMessage(undefined);
    this.peers!.finish();
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
    if (refused !== undefined) return this.#refuse(refused, packet, now);
    const foreign = this.#refusalOfAddresses();
    if (foreign !== undefined) return foreign;
    if (ip.isFragment) return this.#receiveFragment(packet, now);
    if (ip.protocol === PROTOCOL.TCP) {
      return this.tcp.receive(ip, packet, checksum, segmentSize, now);
    }
    if (this.#isBroadcastSource()) return "ip-source";
    if (ip.protocol === (ip.version === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6)) {
      return this.#receiveIcmp(packet, now);
    }
    if (ip.protocol === PROTOCOL.UDP) {
      if (isUdpSuperPacket(ip, segmentSize)) {
        return this.#receiveSegments(packet, checksum, segmentSize, now);
      }
      return this.udp.receive(ip, packet, checksum, now);
    }
    const isEmpty = ip.version === 6 && ip.protocol === NO_NEXT_HEADER;
    if (!isEmpty) this.#transmitQueue.unreachable(ip, packet, "protocol", now);
    return "protocol";
  }

  /** Receives each datagram of a super-packet separately. */
  #receiveSegments(
    packet: Uint8Array,
    checksum: ChecksumState,
    segmentSize: number,
    now: number,
  ): DropReason | undefined {
    const ip = this.#ip;
    if (checksum === "full" && !payloadChecksumHolds(ip, packet)) return "udp-checksum";
    for (const segment of udpSegments(ip, packet, segmentSize)) {
      const dropped = this.#receiveIp(segment, segment.length, "verified", 0, now);
      if (dropped !== undefined) this.stats.drop(dropped);
    }
    return undefined;
  }

  /** A reassembled packet is received like any other; its checksum has to be verified. */
  #receiveFragment(packet: Uint8Array, now: number): DropReason | undefined {
    if (this.#isBroadcastSource()) return "ip-source";
    const { drop, whole, error } = this.#reassembly.add(this.#ip, packet, now);
    if (error !== undefined) this.#transmitQueue.push(error);
    return whole === undefined ? drop : this.#receiveIp(whole, whole.length, "full", 0, now);
  }

  #receiveIcmp(packet: Uint8Array, now: number): DropReason | undefined {
    const { drop, reply, quoted } = this.#icmp.receive(this.#ip, packet, now);
    if (reply !== undefined) {
      this.stats.echoReplies++;
      this.#transmitQueue.push(reply);
    }
    if (quoted === undefined) return drop;
    if (this.tcp.redirectError(this.#ip, quoted, packet)) return undefined;
    if (this.sharding.forwardError(this.#ip, quoted, packet)) {
      this.stats.forwardedToShard++;
      return undefined;
    }
    if (this.sharding.generations?.forwardError(this.#ip, quoted, packet)) {
      this.stats.forwardedToGeneration++;
      return undefined;
    }
    if (!this.peers?.handError(quoted, this.#ip, packet, now)) return drop;
    this.stats.handedToPeer++;
    return undefined;
  }

  /** Handles a packet with invalid headers: sends an ICMP error where the RFCs require it. */
  #refuse(reason: DropReason, packet: Uint8Array, now: number): DropReason {
    const { error } = this.#ip;
    if (error === undefined) return reason;
    const foreign = this.#refusalOfAddresses();
    if (foreign !== undefined) return foreign;
    if (this.#isBroadcastSource()) return "ip-source";
    this.#transmitQueue.error(this.#ip, packet, error, now);
    return reason;
  }

  #refusalOfAddresses(): DropReason | undefined {
    const ip = this.#ip;
    const own = this.#own;
    if (!own.hasWords(ip.d0, ip.d1, ip.d2, ip.d3)) {
      return own.isHost(ip.d0, ip.d1, ip.d2, ip.d3) || isGroupDestination(ip)
        ? "not-ours"
        : "ip-destination";
    }
    if (!own.isHost(ip.s0, ip.s1, ip.s2, ip.s3)) return "ip-source";
    // A spoofed source, or a client's address inside one of our networks that was not excluded: the
    // reply would go to this stack itself.
    const isForged = !this.#isLooping && own.hasWords(ip.s0, ip.s1, ip.s2, ip.s3);
    return isForged ? "ip-own-source" : undefined;
  }

  /**
   * A broadcast source is invalid (RFC 1122 3.2.1.3). TCP checks only segments without a
   * connection.
   */
  #isBroadcastSource(): boolean {
    const { s0, s1, s2, s3 } = this.#ip;
    return this.#own.isBroadcast(s0, s1, s2, s3);
  }

  // ---------------------------------------------------------------- packets out

  /** Writes the next packet to send to `out`; returns false if there is none. */
  pollTransmit(out: OutgoingPacket, now: number): boolean {
    for (;;) {
      if (!this.#transmitQueue.next(out) && !this.tcp.pollTransmit(out, now)) {
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

  /** Packets to an address of this stack are looped back and never reach the link. */
  #keepLocal(out: OutgoingPacket): boolean {
    if (!this.#own.hasDestination(out.header, OutgoingPacket.HEADROOM)) return false;
    const packet = new Uint8Array(out.byteLength);
    out.copyTo(packet, 0);
    this.#loopback.push(packet);
    return true;
  }

  /** Whether the queue should be drained before more packets are received. */
  get shouldTransmitFirst(): boolean {
    return this.#transmitQueue.isHalfFull;
  }

  #receiveLoopback(now: number): boolean {
    const packet = this.#loopback.shift();
    if (packet === undefined) return false;
    this.#isLooping = true;
    this.receive(packet, packet.length, "verified", 0, now);
    this.#isLooping = false;
    return true;
  }

  // ---------------------------------------------------------------- time

  /** When `handleTimeout` has to be called; may be too early. `Infinity` if there is no timer. */
  nextTimeout(): number {
    return Math.min(
      this.tcp.nextTimeout(),
      this.udp.flows.nextTimeout(),
      this.#reassembly.nextTimeout(),
      this.peers?.nextTimeout() ?? Infinity,
    );
  }

  /**
   * Runs the timers due at `now`. If they were too many for one turn, `nextTimeout` is not after
   * `now`.
   */
  handleTimeout(now: number): void {
    for (const error of this.#reassembly.expire(now)) this.#transmitQueue.push(error);
    this.tcp.handleTimeout(now);
    this.udp.flows.handleTimeout(now);
    if (this.peers === undefined) return;
    this.peers.handleTimeout(now);
    if (this.peers.takeReturn()) this.tcp.probeAll(now);
  }

  // ---------------------------------------------------------------- calls

  /** The addresses of this stack, for messages. */
  get own(): Pick<OwnAddresses, "subnets" | "overlaps"> {
    return this.#own;
  }

  /** Adds an address, or all addresses of a network. */
  addSubnet(subnet: Subnet): void {
    this.#own.add(subnet);
  }

  /**
   * Removes an address or a network, and ends its connections and flows without sending anything.
   */
  removeSubnet(subnet: Subnet): void {
    this.#own.remove(subnet);
    this.tcp.endWithoutAddress();
    this.udp.endWithoutAddress();
  }

  /** Resets all connections, ends all flows and closes all listeners. */
  shutDown(): void {
    this.tcp.shutDown();
    this.udp.shutDown();
  }
}

/** Everything that has to remain with this process when another one takes over. */
function* endpointsOf(
  demux: Demux,
  udp: UdpLayer,
  peers: Peers | undefined,
): Generator<Omit<GenerationEndpoint, "generation">> {
  for (const tcb of demux.connections.all()) {
    const { local, localPort, remote, remotePort } = tcb;
    const mark = peers?.markOfTakenOver(tcb);
    yield { protocol: PROTOCOL.TCP, local, localPort, remote, remotePort, mark };
  }
  const { UDP: protocol } = PROTOCOL;
  for (const { local, localPort, remote, remotePort } of udp.flows.table.all()) {
    yield { protocol, local, localPort, remote, remotePort };
  }
  const any = IpAddress.ANY_V4;
  for (const localPort of udp.ephemeralPorts()) {
    yield { protocol, local: any, localPort, remote: any, remotePort: 0 };
  }
}
