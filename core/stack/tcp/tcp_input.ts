/**
 * Dispatches received segments to their connection, listener or shard.
 *
 * @module
 */
import { segmentArrives } from "../../tcp/arrive.ts";
import type { Tcb } from "../../tcp/tcb.ts";
import { TIMESTAMPS } from "../../tcp/tcb_flags.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { type IpHeader, payloadChecksumHolds } from "../../wire/ip.ts";
import { seqGt } from "../../wire/seq.ts";
import { FLAG, parseTcp, Segment } from "../../wire/tcp.ts";
import type { Demux } from "../demux.ts";
import type { OwnAddresses } from "../ip/own_addresses.ts";
import type { ChecksumState } from "../link.ts";
import { sourceOf } from "../replies.ts";
import type { Peers } from "../peers/peers.ts";
import type { Sharding } from "../sharding/shard.ts";
import type { Stats } from "../stats.ts";
import type { TransmitQueue } from "../transmit_queue.ts";
import type { Connections } from "./connections.ts";
import type { MovedConnections } from "./moved_connections.ts";
import type { PassiveOpen } from "./passive_open.ts";

/** State that TCP shares with the rest of the stack. */
export interface TcpTables {
  readonly own: OwnAddresses;
  readonly demux: Demux;
  readonly connections: Connections;
  readonly moved: MovedConnections;
  readonly transmitQueue: TransmitQueue;
  readonly sharding: Sharding;
  /** The other instances, if there are any. */
  readonly peers: Peers | undefined;
  /** Whether connections use timestamps if the peer does. */
  readonly timestamps: boolean;
  readonly stats: Stats;
}

/** Why a connection refuses a segment of another one with the same 4-tuple. */
const MISPLACED: ReadonlySet<DropReason> = new Set<DropReason>([
  "tcp-ack-unsent",
  "tcp-ack-old",
  "tcp-sequence",
  "tcp-paws",
]);

/** SEGMENT ARRIVES (RFC 9293 3.10.7), up to the choice of the connection. */
export class TcpInput {
  readonly #tables: TcpTables;
  readonly #passiveOpen: PassiveOpen;
  readonly #segment = new Segment();

  constructor(tables: TcpTables, passiveOpen: PassiveOpen) {
    this.#tables = tables;
    this.#passiveOpen = passiveOpen;
  }

  /** Processes a received segment; `packet` may be reused afterwards. */
  receive(
    ip: IpHeader,
    packet: Uint8Array,
    checksum: ChecksumState,
    segmentSize: number,
    now: number,
  ): DropReason | undefined {
    if (checksum === "full" && !payloadChecksumHolds(ip, packet)) return "tcp-checksum";
    const segment = this.#segment;
    const refused = parseTcp(packet, ip.payloadStart, ip.payloadEnd, segment);
    if (refused !== undefined) return refused;
    segment.ecn = ip.trafficClass & 3;
    segment.wireSegments = segmentSize > 0 ? Math.ceil(segment.textLength / segmentSize) || 1 : 1;
    const { demux, connections, moved, transmitQueue, sharding, peers, stats } = this.#tables;
    const tcb = demux.connections.find(ip, segment.sourcePort, segment.destinationPort);
    if (tcb === undefined) {
      const { sourcePort, destinationPort } = segment;
      const gone = moved.find(ip, sourcePort, destinationPort);
      if (gone !== undefined) {
        if (peers?.isLastHop) return "peer-hops";
        moved.keep(gone, packet.slice(0, ip.payloadEnd), segmentSize);
        stats.redirected++;
        return undefined;
      }
      if (sharding.forwardSegment(ip, segment, packet, segmentSize)) {
        stats.forwardedToShard++;
        return undefined;
      }
      const { generations } = sharding;
      if (
        generations !== undefined &&
        (generations.forward(ip, sourcePort, destinationPort, packet, segmentSize) ||
          !this.#mayOpen(ip, segment) && generations.offer(ip, packet, segmentSize))
      ) {
        stats.forwardedToGeneration++;
        return undefined;
      }
      const handed = this.#hand(ip, packet, segmentSize, now);
      if (handed === true) return undefined;
      return handed === false ? this.#withoutConnection(ip, segment, now) : handed;
    }
    if (isReopening(tcb, segment)) {
      const listener = demux.findListener(ip, segment.destinationPort);
      if (listener !== undefined) {
        return this.#passiveOpen.reopen(listener, tcb, ip, segment, now);
      }
    }
    const state = tcb.state;
    const dropped = connections.apply(segmentArrives, tcb, segment, now);
    if (dropped !== undefined && this.#handMisplaced(dropped, tcb, ip, packet, segmentSize, now)) {
      return undefined;
    }
    if (dropped === "tcp-ack-unsent" && (state === "SYN-SENT" || state === "SYN-RECEIVED")) {
      transmitQueue.reset(ip, segment);
    }
    return dropped;
  }

  #mayOpen(ip: IpHeader, segment: Segment): boolean {
    return segment.has(FLAG.SYN) && !segment.has(FLAG.ACK) &&
      this.#tables.demux.findListener(ip, segment.destinationPort) !== undefined;
  }

  /** Hands a segment without a connection to another instance; false: it belongs here. */
  #hand(
    ip: IpHeader,
    packet: Uint8Array,
    segmentSize: number,
    now: number,
  ): boolean | DropReason {
    const { peers, own, stats, timestamps } = this.#tables;
    if (peers === undefined || !own.isUnicast(sourceOf(ip))) return false;
    const handed = peers.handSegment(ip, this.#segment, packet, segmentSize, now, timestamps);
    if (handed === true) stats.handedToPeer++;
    return handed;
  }

  /** Whether a segment that the connection has refused belongs to one of another instance. */
  #handMisplaced(
    dropped: DropReason,
    tcb: Tcb,
    ip: IpHeader,
    packet: Uint8Array,
    segmentSize: number,
    now: number,
  ): boolean {
    const { peers, sharding: { generations }, stats } = this.#tables;
    if (peers === undefined || !MISPLACED.has(dropped)) return false;
    if (generations?.isRetired) {
      // Only the newest process of an instance sends to the others.
      const { sourcePort, destinationPort } = this.#segment;
      if (!peers.isMarkedForOther(tcb, ip, this.#segment, now)) return false;
      if (!generations.forward(ip, sourcePort, destinationPort, packet, segmentSize)) return false;
      stats.forwardedToGeneration++;
      return true;
    }
    if (!peers.handMisplaced(tcb, ip, this.#segment, packet, segmentSize, now)) return false;
    stats.handedToPeer++;
    return true;
  }

  /** Processes a segment for a listener, or for a closed port (RFC 9293 3.10.7.1 and 3.10.7.2). */
  #withoutConnection(ip: IpHeader, segment: Segment, now: number): DropReason | undefined {
    const { demux, transmitQueue, own } = this.#tables;
    const listener = demux.findListener(ip, segment.destinationPort);
    if (segment.has(FLAG.RST)) return listener ? "tcp-rst-listen" : "tcp-no-connection";
    if (!own.isUnicast(sourceOf(ip))) return "tcp-not-unicast";
    if (listener !== undefined) return this.#passiveOpen.receive(listener, ip, segment, now);
    transmitQueue.reset(ip, segment);
    return "tcp-no-connection";
  }
}

/**
 * Whether a SYN may open a new connection in place of one in TIME-WAIT (RFC 9293 3.6.1, MAY-2).
 * Decided by timestamps if both use them (RFC 6191 2), otherwise by sequence number.
 */
function isReopening(tcb: Tcb, segment: Segment): boolean {
  if (tcb.state !== "TIME-WAIT" || !segment.has(FLAG.SYN)) return false;
  if (segment.has(FLAG.ACK | FLAG.FIN)) return false;
  if (tcb.has(TIMESTAMPS) && segment.hasTimestamps && segment.tsVal !== tcb.tsRecent) {
    return seqGt(segment.tsVal, tcb.tsRecent);
  }
  return seqGt(segment.seq, tcb.rcvNxt);
}
