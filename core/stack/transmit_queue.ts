/**
 * Queue of packets to send that belong to no connection.
 *
 * @module
 */
import { OutgoingPacket } from "../buffers/outgoing_packet.ts";
import { Queue } from "../buffers/queue.ts";
import type { Unreachable } from "../wire/icmp.ts";
import type { AnsweredHeader, IpError, IpHeader } from "../wire/ip.ts";
import type { Segment } from "../wire/tcp.ts";
import { mayCauseError } from "./icmp/error_eligibility.ts";
import type { IcmpPolicy } from "./icmp/icmp_policy.ts";
import type { Fragmentation } from "./ip/fragmentation.ts";
import { icmpError, type Packet, resetFor, unreachable } from "./replies.ts";
import type { Stats } from "./stats.ts";

/** Maximum number of packets; more are dropped and counted as `linkFull`. */
const MAX_PACKETS = 1024;

/** The queue for RSTs, echo replies, ICMP errors and datagrams. */
export class TransmitQueue {
  readonly #packets = new Queue<Packet>();
  readonly #fragmentation: Fragmentation;
  readonly #policy: IcmpPolicy;
  readonly #stats: Stats;
  readonly #hopLimit: number;

  constructor(
    fragmentation: Fragmentation,
    policy: IcmpPolicy,
    stats: Stats,
    hopLimit: number,
  ) {
    this.#fragmentation = fragmentation;
    this.#policy = policy;
    this.#stats = stats;
    this.#hopLimit = hopLimit;
  }

  /** Whether it should be drained before more packets are received. */
  get isHalfFull(): boolean {
    return this.#packets.count > MAX_PACKETS / 2;
  }

  /** Queues an IP packet, fragmented if it exceeds the MTU. */
  push(packet: Packet): void {
    this.#pushPieces(this.#fragmentation.split(packet));
  }

  /** Queues an IP packet with an application's datagram, fragmented if necessary. */
  pushDatagram(packet: Packet, pathMtu: number | undefined): void {
    this.#pushPieces(this.#fragmentation.splitDatagram(packet, pathMtu));
  }

  /** Queues all fragments or none. */
  #pushPieces(pieces: readonly Packet[]): void {
    if (this.#packets.count + pieces.length > MAX_PACKETS) this.#stats.linkFull++;
    else for (const piece of pieces) this.#packets.push(piece);
  }

  /** Queues the RST for a segment without a connection (RFC 9293 3.10.7.1). */
  reset(ip: IpHeader, segment: Segment): void {
    this.#stats.resetsSent++;
    this.push(resetFor(ip, segment, this.#hopLimit));
  }

  /** Queues an unreachable error (RFC 1122 3.2.2.1), unless the policy forbids it. */
  unreachable(ip: AnsweredHeader, packet: Uint8Array, what: Unreachable, now: number): void {
    if (!this.#policy.maySendError(ip, now)) return;
    this.#stats.errorsSent++;
    this.push(unreachable(ip, packet, what, this.#hopLimit));
  }

  /** Queues an ICMP error about a refused packet, unless the RFCs or the policy forbid it. */
  error(ip: IpHeader, packet: Uint8Array, error: IpError, now: number): void {
    if (!mayCauseError(packet, ip.payloadEnd) || !this.#policy.maySendError(ip, now)) return;
    this.#stats.errorsSent++;
    this.push(icmpError(ip, packet, error, this.#hopLimit));
  }

  /** Writes the next packet to `out`; returns false if the queue is empty. */
  next(out: OutgoingPacket): boolean {
    const packet = this.#packets.shift();
    if (packet === undefined) return false;
    const headerLength = packet[0]! >>> 4 === 4 ? 20 : 40;
    out.header.set(packet.subarray(0, headerLength), OutgoingPacket.HEADROOM);
    out.headerLength = out.ipHeaderLength = headerLength;
    out.payload = packet;
    out.payloadStart = headerLength;
    out.payloadLength = packet.length - headerLength;
    out.wrappedLength = out.segmentSize = 0;
    out.checksumPartial = false;
    return true;
  }
}
