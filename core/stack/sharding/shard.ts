/**
 * Sharding: one stack runs as several shards. Each shard has all of the stack's addresses and
 * ports, and the connections whose 4-tuples hash to it.
 *
 * @module
 */
import { Queue } from "../../buffers/queue.ts";
import type { IpAddress } from "../../wire/address.ts";
import { halfSipHash, type HalfSipHashKey } from "../../wire/half_siphash.ts";
import { type IpHeader, PROTOCOL } from "../../wire/ip.ts";
import type { Segment } from "../../wire/tcp.ts";
import type { QuotedPacket } from "../icmp/quoted.ts";
import type { OwnAddresses } from "../ip/own_addresses.ts";
import type { GenerationPacket, Generations } from "./generations.ts";

/** The key of the hash that assigns connections to shards. */
export type ShardSeed = HalfSipHashKey;

/** Identifies one shard. All shards of a stack have the same `count` and `seed`. */
export interface Shard {
  /** Number of this shard, counted from 0. */
  readonly index: number;
  /** Number of shards. */
  readonly count: number;
  /** Random, which keeps peers from choosing a shard. */
  readonly seed: ShardSeed;
}

/** A packet that belongs to another shard. Its checksum has been verified. */
export interface ShardPacket {
  /** The shard that it belongs to. */
  readonly shard: number;
  /** Whether it is a message of another instance, with a packet for that shard or for all. */
  readonly isMessage: boolean;
  /** A whole IP packet, or the message, in memory of its own. */
  readonly packet: Uint8Array<ArrayBuffer>;
  /** Payload bytes per segment if it is a super-packet; otherwise 0. */
  readonly segmentSize: number;
}

/** The addresses and ports of a connection or flow, which determine its shard. */
export interface ShardedFlow {
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly local: IpAddress;
  readonly localPort: number;
}

/**
 * The shard of a connection. The hash is keyed, so peers cannot choose addresses and ports that belong to one shard. It
 * needs only 32-bit arithmetic and no table, so a device or a kernel program can compute it to distribute packets over
 * the shards.
 */
export function shardOf(
  shard: Shard,
  { remote, remotePort, local, localPort }: ShardedFlow,
): number {
  const ports = (remotePort << 16) | localPort;
  return remote.isV4 ? shardOfWords(shard, [remote.w3, local.w3, ports]) : shardOfWords(shard, [
    ...[remote.w0, remote.w1, remote.w2, local.w0, local.w1, local.w2],
    ...[remote.w3, local.w3, ports],
  ]);
}

/** {@link shardOf} for a packet that was received. */
function shardOfPacket(shard: Shard, ip: IpHeader, remotePort: number, localPort: number): number {
  const ports = (remotePort << 16) | localPort;
  return ip.version === 4
    ? shardOfWords(shard, [ip.s3, ip.d3, ports])
    : shardOfWords(shard, [ip.s0, ip.s1, ip.s2, ip.d0, ip.d1, ip.d2, ip.s3, ip.d3, ports]);
}

function shardOfWords({ count, seed }: Shard, words: readonly number[]): number {
  return (halfSipHash(seed, words) >>> 0) % count;
}

/** From this local port on, the shard of a datagram is `port % count`. */
export const FIRST_SHARDED_PORT = 49_152;

/**
 * The shard of a datagram. A socket chooses its ephemeral port before its peers are known, so each port of that range
 * (RFC 6335 6) belongs to one shard.
 */
export function shardOfDatagram(shard: Shard, flow: ShardedFlow): number {
  const { localPort } = flow;
  return localPort >= FIRST_SHARDED_PORT ? localPort % shard.count : shardOf(shard, flow);
}

/** Decides what belongs to this shard, and queues packets for the others. */
export class Sharding {
  /** Other processes of the service on the same device; absent: there are never any. */
  readonly generations: Generations | undefined;
  readonly #shard: Shard | undefined;
  readonly #own: OwnAddresses;
  /** Bounded by the number of packets received since it was last drained. */
  readonly #foreign = new Queue<ShardPacket>();
  /** The message of another instance whose packet is being processed. */
  #message: Uint8Array | undefined;

  /** Without `shard`, the stack runs unsharded. */
  constructor(shard: Shard | undefined, own: OwnAddresses, generations?: Generations) {
    this.#shard = shard;
    this.#own = own;
    this.generations = generations;
  }

  /** Whether this process and shard may open such a connection. */
  isOurs(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): boolean {
    if (this.generations?.isOurs(local, localPort, remote, remotePort) === false) return false;
    return this.isOfShard(local, localPort, remote, remotePort);
  }

  /** Whether segments of such a connection are received by this shard. */
  isOfShard(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): boolean {
    const shard = this.#shard;
    return shard === undefined || this.#own.has(remote) ||
      shardOf(shard, { remote, remotePort, local, localPort }) === shard.index;
  }

  /** Queues the segment for the shard that it belongs to; returns false if that is this one. */
  forwardSegment(ip: IpHeader, segment: Segment, packet: Uint8Array, segmentSize: number): boolean {
    if (this.#shard === undefined) return false;
    const shard = shardOfPacket(this.#shard, ip, segment.sourcePort, segment.destinationPort);
    return this.#forwardTo(shard, ip, packet, segmentSize);
  }

  /** Whether datagrams of such a flow are received by this shard. */
  isOurFlow(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): boolean {
    const shard = this.#shard;
    return shard === undefined || this.#own.has(remote) ||
      shardOfDatagram(shard, { remote, remotePort, local, localPort }) === shard.index;
  }

  /** Whether datagrams to an ephemeral port are received by this shard. */
  isOurPort(port: number): boolean {
    if (this.generations?.isOurPort(port) === false) return false;
    return this.#shard === undefined || port % this.#shard.count === this.#shard.index;
  }

  /** {@link Sharding.forwardSegment} for a datagram. */
  forwardDatagram(
    ip: IpHeader,
    remotePort: number,
    localPort: number,
    packet: Uint8Array,
  ): boolean {
    if (this.#shard === undefined) return false;
    const shard = localPort >= FIRST_SHARDED_PORT
      ? localPort % this.#shard.count
      : shardOfPacket(this.#shard, ip, remotePort, localPort);
    return this.#forwardTo(shard, ip, packet, 0);
  }

  /** {@link Sharding.forwardSegment} for an ICMP error that quotes `quoted`. */
  forwardError(ip: IpHeader, quoted: QuotedPacket, packet: Uint8Array): boolean {
    if (this.#shard === undefined) return false;
    const choose = quoted.protocol === PROTOCOL.UDP ? shardOfDatagram : shardOf;
    const shard = choose(this.#shard, quoted);
    return this.#forwardTo(shard, ip, packet, 0);
  }

  /**
   * Sets the message of another instance whose packet is about to be processed, `undefined` afterwards. If the packet
   * belongs to another shard, the whole message is passed to that shard.
   */
  setMessage(message: Uint8Array | undefined): void {
    this.#message = message;
  }

  /** Passes a message on to all other shards, if this shard receives the messages of other instances: shard 0. */
  relayMessage(message: Uint8Array): void {
    if (this.#shard?.index !== 0) return;
    for (let shard = 1; shard < this.#shard.count; shard++) {
      this.#foreign.push({ shard, isMessage: true, packet: message.slice(), segmentSize: 0 });
    }
  }

  /** Removes the next packet for another shard or process. */
  next(): ShardPacket | GenerationPacket | undefined {
    return this.#foreign.shift() ?? this.generations?.next();
  }

  /** Queues a packet for `shard`; returns false if it belongs to this shard. */
  #forwardTo(shard: number, ip: IpHeader, packet: Uint8Array, segmentSize: number): boolean {
    // Packets of a shard to itself stay here.
    if (shard === this.#shard?.index || this.#own.hasWords(ip.s0, ip.s1, ip.s2, ip.s3)) {
      return false;
    }
    const message = this.#message?.slice();
    this.#foreign.push(
      message === undefined
        ? { shard, isMessage: false, packet: packet.slice(0, ip.payloadEnd), segmentSize }
        : { shard, isMessage: true, packet: message, segmentSize: 0 },
    );
    return true;
  }
}
