/**
 * Queue of packets to send that belong to no connection.
 *
 * @module
 */
import { OutgoingPacket } from "../buffers/outgoing_packet.ts";
import { Queue } from "../buffers/queue.ts";
import type { Unreachable } from "../wire/icmp.ts";
import { type AnsweredHeader, type IpError, type IpHeader, ipHeaderLength } from "../wire/ip.ts";
import type { Segment } from "../wire/tcp.ts";
import { UDP_HEADER_LENGTH } from "../wire/udp.ts";
import { mayCauseError } from "./icmp/error_eligibility.ts";
import type { IcmpPolicy } from "./icmp/icmp_policy.ts";
import type { Fragmentation } from "./ip/fragmentation.ts";
import { icmpError, type Packet, resetFor, unreachable } from "./replies.ts";
import type { LinkFeatures } from "./link.ts";
import type { Stats } from "./stats.ts";
import {
  type BatchedPacket,
  DatagramBatch,
  type DatagramPath,
  writeBatch,
} from "./udp/datagram_batch.ts";

/** Maximum number of packets, or datagrams in them; more are dropped and counted as `linkFull`. */
const MAX_PACKETS = 1024;

/** The queue for RSTs, echo replies, ICMP errors and datagrams. */
export class TransmitQueue {
  readonly #packets = new Queue<Packet | BatchedPacket>();
  /** Packets and datagrams in `#packets`. */
  #count = 0;
  /** Follows `#packets`; `undefined` if the link does not split super-packets of datagrams. */
  readonly #batch: DatagramBatch | undefined;
  readonly #mtu: number;
  readonly #fragmentation: Fragmentation;
  readonly #policy: IcmpPolicy;
  readonly #stats: Stats;
  readonly #hopLimit: number;

  constructor(
    { mtu, maxDatagramSuperPacket = 0 }: LinkFeatures,
    fragmentation: Fragmentation,
    policy: IcmpPolicy,
    stats: Stats,
    hopLimit: number,
  ) {
    this.#fragmentation = fragmentation;
    this.#policy = policy;
    this.#stats = stats;
    this.#hopLimit = hopLimit;
    this.#mtu = mtu;
    if (maxDatagramSuperPacket > mtu) {
      this.#batch = new DatagramBatch(maxDatagramSuperPacket, hopLimit);
    }
  }

  /** Whether it should be drained before more packets are received. */
  get isHalfFull(): boolean {
    return this.#length > MAX_PACKETS / 2;
  }

  get #length(): number {
    return this.#count + (this.#batch?.count ?? 0);
  }

  /** Queues an IP packet, fragmented if it exceeds the MTU. */
  push(packet: Packet): void {
    this.#pushPieces(this.#fragmentation.split(packet));
  }

  /**
   * Adds a datagram to those sent before; false if its addresses, ports or length do not match, or if the link accepts
   * only single datagrams.
   */
  appendDatagram(path: DatagramPath, data: Uint8Array): boolean {
    const batch = this.#batch;
    if (batch === undefined || this.#length >= MAX_PACKETS) return false;
    return batch.append(path, data);
  }

  /** Queues a datagram to which others may be added; false if it has to be sent alone. */
  beginDatagrams(path: DatagramPath, data: Uint8Array, pathMtu: number = this.#mtu): boolean {
    const batch = this.#batch;
    const size = ipHeaderLength(path.source) + UDP_HEADER_LENGTH + data.length;
    const fits = size <= Math.min(this.#mtu, pathMtu) && this.#length < MAX_PACKETS;
    if (batch === undefined || !fits) return false;
    this.#endBatch();
    batch.begin(path, data);
    return true;
  }

  /** Moves the batch to the end of the queue. */
  #endBatch(): void {
    const batch = this.#batch;
    if (batch === undefined || batch.count === 0) return;
    this.#complete(batch);
    this.#packets.push(batch.copy());
    this.#count += batch.count;
    batch.clear();
  }

  #complete(batch: DatagramBatch): void {
    batch.complete();
    this.#fragmentation.allowCutting(batch.bytes, batch.count);
  }

  /** Queues an IP packet with an application's datagram, fragmented if necessary. */
  pushDatagram(packet: Packet, pathMtu: number | undefined): void {
    this.#endBatch();
    this.#pushPieces(this.#fragmentation.splitDatagram(packet, pathMtu));
  }

  /** Queues all fragments or none. */
  #pushPieces(pieces: readonly Packet[]): void {
    if (this.#length + pieces.length > MAX_PACKETS) return void this.#stats.linkFull++;
    for (const piece of pieces) this.#packets.push(piece);
    this.#count += pieces.length;
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
    if (packet === undefined) return this.#takeBatch(out);
    if (!(packet instanceof Uint8Array)) {
      this.#count -= packet.count;
      writeBatch(packet, out);
      return true;
    }
    this.#count--;
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

  /** `out` refers to the batch's array, which is valid until a datagram is queued. */
  #takeBatch(out: OutgoingPacket): boolean {
    const batch = this.#batch;
    if (batch === undefined || batch.count === 0) return false;
    this.#complete(batch);
    writeBatch(batch, out);
    batch.clear();
    return true;
  }
}
