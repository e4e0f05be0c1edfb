/**
 * The interface of a link, which sends and receives IP packets.
 *
 * @module
 */
import { OutgoingPacket } from "../buffers/outgoing_packet.ts";
import type { GenerationPacket, Generations } from "./sharding/generations.ts";
import type { PeerMessage } from "./peers/message.ts";
import type { PeerGroup } from "./peers/peer_group.ts";
import type { Shard, ShardPacket } from "./sharding/shard.ts";

/**
 * State of a received packet's TCP or UDP checksum. `"full"`: must be verified. `"partial"`: holds
 * only the pseudo-header sum, because the sender relies on offload; the data is as reliable as the
 * link. `"verified"`: verified by the link.
 */
export type ChecksumState = "full" | "partial" | "verified";

export { OutgoingPacket };

/** Capabilities of a link. */
export interface LinkFeatures {
  /** MTU: the largest IP packet on the wire, in bytes. */
  readonly mtu: number;
  /**
   * Largest TCP super-packet that `send()` accepts, in bytes including its IP header. The link, or
   * the device behind it, splits it into segments with `segmentSize` bytes of payload. 0: the stack
   * sends single segments.
   */
  readonly maxSuperPacket: number;
  /**
   * Largest super-packet of UDP datagrams that `send()` accepts, in bytes including its IP header: up to 64
   * datagrams between the same ports with `segmentSize` bytes of data each; the last may be shorter. Its checksum is
   * partial; the checksum of a single datagram may be partial too. Default 0: single datagrams with full checksums.
   */
  readonly maxDatagramSuperPacket?: number;
  /** `send()` accepts packets whose TCP checksum field holds only the pseudo-header sum. */
  readonly checksumOffload: boolean;
  /**
   * The link is internal to a host, so packets from and to 127.0.0.0/8 and `::1` are allowed, which
   * must not appear on any other link (RFC 1122 3.2.1.3 (g), RFC 4291 2.5.3). Default false.
   */
  readonly insideHost?: boolean;
  /**
   * The shard of this link, if several links share a stack's addresses. Default: the only link.
   *
   * @internal
   */
  readonly shard?: Shard;
  /**
   * Other processes of the same service on the same device. Default: there are none.
   *
   * @internal
   */
  readonly generations?: Generations;
  /**
   * The other instances that serve the same addresses. Default: there are none.
   *
   * @internal
   */
  readonly peers?: PeerGroup;
}

/**
 * A batch of received packets. `receive()` fills it with buffers of the link, which are valid until
 * the next `receive()`.
 *
 * @example
 * ```ts
 * import { type Link, linkPair, PacketBatch } from "@berth/berth/links";
 *
 * async function countPackets(link: Link): Promise<number> {
 *   const batch = new PacketBatch(64);
 *   let count = 0;
 *   while (await link.ready()) count += link.receive(batch);
 *   return count;
 * }
 *
 * const [here] = linkPair();
 * const counting = countPackets(here);
 * await here.close();
 * if (await counting !== 0) throw new Error("packets on a closed link");
 * ```
 */
export class PacketBatch {
  /** Packet `i` is the first `sizes[i]` bytes of `packets[i]`. */
  readonly packets: Uint8Array<ArrayBuffer>[];
  /** Length of packet `i`, in bytes. */
  readonly sizes: Uint32Array;
  /** Checksum state of packet `i`. */
  readonly checksums: ChecksumState[];
  /** Payload bytes per segment or datagram if packet `i` is a super-packet; otherwise 0. */
  readonly segmentSizes: Uint32Array;
  /** 1 if packet `i` is a message of another instance, see `LinkFeatures.peers`; otherwise 0. */
  readonly fromPeer: Uint8Array;
  /** Maximum number of packets. */
  readonly capacity: number;

  /** Creates a batch for up to `capacity` packets. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.packets = new Array(capacity).fill(new Uint8Array(0));
    this.sizes = new Uint32Array(capacity);
    this.checksums = new Array(capacity).fill("full");
    this.segmentSizes = new Uint32Array(capacity);
    this.fromPeer = new Uint8Array(capacity);
  }
}

/**
 * Sends and receives IP packets: a TUN device, one end of a pair in memory, or a decorator of
 * another link.
 */
export interface Link extends AsyncDisposable {
  /** Shown in logs. */
  readonly name: string;
  /** Its capabilities, which never change. */
  readonly features: LinkFeatures;
  /**
   * Receives the packets available now, without waiting; returns the number of packets in `batch`.
   */
  receive(batch: PacketBatch): number;
  /**
   * Resolves with true when `receive()` may return packets, and with false once the link is closed.
   * Rejects if the link has failed.
   */
  ready(): Promise<boolean>;
  /**
   * Sends an IP packet without waiting. Returns false if there was no room and the packet was
   * dropped.
   */
  send(packet: OutgoingPacket): boolean;
  /**
   * Whether `send()` would drop a packet for lack of room. If so, `onRoom` is called once when
   * there is room again or the link is closed; it replaces the callback of an earlier call, and
   * must not call the link. A stack keeps its packets while its link is full, for up to a second;
   * after that they are dropped, as on a link without this method.
   */
  isFull?(onRoom: () => void): boolean;
  /**
   * Passes a packet to the shard or the process that it belongs to. Returns false if there was no room
   * and the packet was dropped. Required with `features.shard` and `features.generations` only.
   *
   * @internal
   */
  forwardToShard?(foreign: ShardPacket | GenerationPacket): boolean;
  /**
   * Sends a message to another instance. Returns false if there was no room and the message was
   * dropped. Required with `features.peers` only.
   *
   * @internal
   */
  sendToPeer?(message: PeerMessage): boolean;
  /** Counters by name; they appear in the stack's statistics as `link.NAME`. */
  stats?(): Readonly<Record<string, number>>;
  /** Closes the link and frees its resources; a pending `ready()` resolves with false. */
  close(): Promise<void>;
}
