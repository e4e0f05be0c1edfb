/**
 * One stack in several shards: each has all of the stack's addresses and ports, and the connections
 * whose addresses and ports hash to it.
 *
 * @module
 */
import { Queue } from "../../buffers/queue.ts";
import type { IpAddress } from "../../wire/address.ts";
import { type IpHeader, PROTOCOL } from "../../wire/ip.ts";
import type { Segment } from "../../wire/tcp.ts";
import type { QuotedPacket } from "../icmp/quoted.ts";
import type { OwnAddresses } from "../ip/own_addresses.ts";

/** Which shard a stack is. All shards of one stack agree on `count` and `seed`. */
export interface Shard {
  /** From 0 on. */
  readonly index: number;
  /** How many there are. */
  readonly count: number;
  /** 32 random bits: whoever does not know them cannot choose a shard. */
  readonly seed: number;
}

/** A packet that belongs to another shard. Its checksum has been seen to. */
export interface ShardPacket {
  /** Whose it is. */
  readonly shard: number;
  /** A whole IP packet; nobody else keeps it. */
  readonly packet: Uint8Array<ArrayBuffer>;
  /** Payload bytes per wire segment when it is a super-packet, 0 otherwise. */
  readonly segmentSize: number;
}

/** The multipliers of {@link shardOf}. */
export const SHARD_MULTIPLIERS: readonly [number, number, number] = [
  0x9e3779b1,
  0x85ebca77,
  0xc2b2ae3d,
];

/**
 * The shard of a connection: `addresses` are the exclusive or of the words of both. Whatever spreads
 * packets over the shards can compute the same: it takes 32-bit arithmetic and no table.
 */
export function shardOf(
  { count, seed }: Shard,
  addresses: number,
  remotePort: number,
  localPort: number,
): number {
  const [first, second, third] = SHARD_MULTIPLIERS;
  let hash = seed ^ Math.imul(addresses, first);
  hash = Math.imul(hash ^ (hash >>> 15), second) ^ ((remotePort << 16) | localPort);
  hash = Math.imul(hash ^ (hash >>> 13), third);
  return ((hash ^ (hash >>> 16)) >>> 0) % count;
}

/** Where the ports begin of which a datagram's shard is `port % count`. */
export const FIRST_SHARDED_PORT = 49_152;

/**
 * The shard of a datagram. A free port is taken for a socket before anybody knows who will send to
 * it; the ports that are given away like that (RFC 6335 6) belong to a shard each.
 */
export function shardOfDatagram(
  shard: Shard,
  addresses: number,
  remotePort: number,
  localPort: number,
): number {
  return localPort >= FIRST_SHARDED_PORT
    ? localPort % shard.count
    : shardOf(shard, addresses, remotePort, localPort);
}

/** What {@link shardOf} takes of two addresses. */
export function mixAddresses(one: IpAddress, other: IpAddress): number {
  return one.w0 ^ one.w1 ^ one.w2 ^ one.w3 ^ other.w0 ^ other.w1 ^ other.w2 ^ other.w3;
}

/** A stack's view of the other shards. */
export class Sharding {
  readonly #shard: Shard | undefined;
  readonly #own: OwnAddresses;
  /** As many as packets have come since the last time it was emptied, at most. */
  readonly #foreign = new Queue<ShardPacket>();

  /** Without `shard` there are no others. */
  constructor(shard: Shard | undefined, own: OwnAddresses) {
    this.#shard = shard;
    this.#own = own;
  }

  /** Whether answers to such a connection come to this shard. */
  isOurs(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): boolean {
    const shard = this.#shard;
    return shard === undefined || this.#own.has(remote) ||
      shardOf(shard, mixAddresses(local, remote), remotePort, localPort) === shard.index;
  }

  /** Keeps the segment for the shard whose connection it belongs to; false: that is this one. */
  passOn(ip: IpHeader, segment: Segment, packet: Uint8Array, segmentSize: number): boolean {
    if (this.#shard === undefined) return false;
    const addresses = ip.s0 ^ ip.s1 ^ ip.s2 ^ ip.s3 ^ ip.d0 ^ ip.d1 ^ ip.d2 ^ ip.d3;
    const shard = shardOf(this.#shard, addresses, segment.sourcePort, segment.destinationPort);
    return this.#keep(shard, ip, packet, segmentSize);
  }

  /** Whether datagrams between these come to this shard. */
  isOurFlow(local: IpAddress, localPort: number, remote: IpAddress, remotePort: number): boolean {
    const shard = this.#shard;
    return shard === undefined || this.#own.has(remote) ||
      shardOfDatagram(shard, mixAddresses(local, remote), remotePort, localPort) === shard.index;
  }

  /** Whether datagrams to a port that is given away as a free one come to this shard. */
  isOurPort(port: number): boolean {
    return this.#shard === undefined || port % this.#shard.count === this.#shard.index;
  }

  /** {@link Sharding.passOn} for a datagram. */
  passOnDatagram(
    ip: IpHeader,
    remotePort: number,
    localPort: number,
    packet: Uint8Array,
  ): boolean {
    if (this.#shard === undefined) return false;
    const addresses = ip.s0 ^ ip.s1 ^ ip.s2 ^ ip.s3 ^ ip.d0 ^ ip.d1 ^ ip.d2 ^ ip.d3;
    const shard = shardOfDatagram(this.#shard, addresses, remotePort, localPort);
    return this.#keep(shard, ip, packet, 0);
  }

  /** The same for the ICMP error in which `quoted` is. */
  passOnError(ip: IpHeader, quoted: QuotedPacket, packet: Uint8Array): boolean {
    if (this.#shard === undefined) return false;
    const { protocol, local, localPort, remote, remotePort } = quoted;
    const choose = protocol === PROTOCOL.UDP ? shardOfDatagram : shardOf;
    const shard = choose(this.#shard, mixAddresses(local, remote), remotePort, localPort);
    return this.#keep(shard, ip, packet, 0);
  }

  /** The next packet of another shard. */
  next(): ShardPacket | undefined {
    return this.#foreign.shift();
  }

  #keep(shard: number, ip: IpHeader, packet: Uint8Array, segmentSize: number): boolean {
    // What a shard sends to itself stays with it.
    if (shard === this.#shard?.index || this.#own.hasWords(ip.s0, ip.s1, ip.s2, ip.s3)) {
      return false;
    }
    this.#foreign.push({ shard, packet: packet.slice(0, ip.payloadEnd), segmentSize });
    return true;
  }
}
