/**
 * What a link is: something that takes and gives IP packets.
 *
 * @module
 */
import { OutgoingPacket } from "../buffers/outgoing_packet.ts";
import type { Shard, ShardPacket } from "./sharding/shard.ts";

/**
 * What is known of a received packet's TCP or UDP checksum.
 * `"full"`: it must be verified. `"partial"`: the sender left it to offload, it holds only the
 * pseudo-header's sum and the bytes are as good as the link. `"verified"`: the link vouches for it.
 */
export type ChecksumState = "full" | "partial" | "verified";

export { OutgoingPacket };

/** What a link can do; the stack asks, adapters never guess. */
export interface LinkFeatures {
  /** Largest IP packet on the wire, in bytes. */
  readonly mtu: number;
  /**
   * Largest TCP super-packet that `send()` takes, in bytes with its IP header; it is cut into
   * segments of `segmentSize` bytes of payload behind the link. 0: none, the stack cuts itself.
   */
  readonly maxSuperPacket: number;
  /** `send()` takes packets whose TCP checksum holds only the pseudo-header's sum. */
  readonly checksumOffload: boolean;
  /**
   * The link never leaves a host: packets may come from and go to 127.0.0.0/8 and `::1`, which nobody has
   * on any other link (RFC 1122 3.2.1.3 (g), RFC 4291 2.5.3). Default false.
   */
  readonly insideHost?: boolean;
  /** The link is one of several that share a stack's addresses, and which; default the only one. */
  readonly shard?: Shard;
}

/**
 * Room for the packets of one `receive()`. The link puts its buffers in; they are valid until the
 * next `receive()`.
 */
export class PacketBatch {
  /** Packet `i` is the first `sizes[i]` bytes of `packets[i]`. */
  readonly packets: Uint8Array<ArrayBuffer>[];
  /** Bytes of packet `i`. */
  readonly sizes: Uint32Array;
  /** What is known of packet `i`'s checksum. */
  readonly checksums: ChecksumState[];
  /**
   * Payload bytes per wire segment, or per datagram, when packet `i` is a super-packet of TCP or UDP;
   * 0 otherwise.
   */
  readonly segmentSizes: Uint32Array;
  /** How many packets fit. */
  readonly capacity: number;

  /** Makes room for `capacity` packets. */
  constructor(capacity: number) {
    this.capacity = capacity;
    this.packets = new Array(capacity).fill(new Uint8Array(0));
    this.sizes = new Uint32Array(capacity);
    this.checksums = new Array(capacity).fill("full");
    this.segmentSizes = new Uint32Array(capacity);
  }
}

/** Takes and gives IP packets: a TUN device, one end of a memory pair, a wrapper around another link. */
export interface Link extends AsyncDisposable {
  /** Shown in logs. */
  readonly name: string;
  /** What it can do; constant. */
  readonly features: LinkFeatures;
  /** Takes what is there now, without waiting; returns the number of packets put into `batch`. */
  receive(batch: PacketBatch): number;
  /**
   * Resolves with true when `receive()` may have something, with false once the link is closed.
   * Rejects when the link broke.
   */
  ready(): Promise<boolean>;
  /** Sends a complete IP packet now, without waiting; false: no room, the packet was dropped. */
  send(packet: OutgoingPacket): boolean;
  /**
   * Gives a packet to the shard that it belongs to; false: no room, the packet was dropped. Links
   * without `features.shard` need none.
   */
  forwardToShard?(foreign: ShardPacket): boolean;
  /** What the link has met, by name: in the stack's statistics as `link.NAME`. */
  stats?(): Readonly<Record<string, number>>;
  /** Frees what the link holds; a pending `ready()` resolves with false. */
  close(): Promise<void>;
}
