import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";
import { ETHERNET_HEADER } from "../../core/wire/ethernet.ts";
import type { FramePort } from "./ethernet/frame_port.ts";
import { requireInteger } from "./integer_option.ts";
import { PacketQueue } from "./packet_queue.ts";

/** What {@link linkPair} takes. */
export interface LinkPairOptions {
  /** Largest IP packet on the wire, in bytes. Default 1500. */
  mtu?: number;
  /** Largest TCP super-packet, in bytes with its IP header. Default 0: none. */
  maxSuperPacket?: number;
  /** Packets may leave the TCP checksum out. Default false. */
  checksumOffload?: boolean;
  /**
   * Nothing leads out of the host behind either end: 127.0.0.0/8 and `::1` may be own addresses and
   * peers (see `LinkFeatures`). Default false.
   */
  insideHost?: boolean;
  /**
   * Packets on their way in one direction, at most; further ones are dropped. Default 1024. The
   * pair holds that many times the largest packet at most, and keeps it for reuse.
   */
  queue?: number;
}

/**
 * Two links joined in memory: what one sends the other receives, whole and in order.
 *
 * @throws {RangeError} An option is out of range.
 *
 * @example
 * ```ts
 * import { createStack, linkPair } from "@berth/berth";
 *
 * const [left, right] = linkPair({ mtu: 9000 });
 * await using one = createStack({ link: left, addresses: ["10.0.0.1/24"] });
 * await using other = createStack({ link: right, addresses: ["10.0.0.2/24"] });
 * const listener = one.listen({ port: 7 });
 * await using socket = other.connect("10.0.0.1:7");
 * await using accepted = await listener.accept();
 * await accepted.write(new Uint8Array([1, 2, 3]));
 * if (await socket.read(new Uint8Array(9)) !== 3) throw new Error("not what was sent");
 * ```
 */
export function linkPair(options: LinkPairOptions = {}): [Link, Link] {
  return pairOf(options, 0);
}

/**
 * Two ports of Ethernet frames joined in memory, as a cable joins two network cards.
 *
 * @throws {RangeError} An option is out of range.
 *
 * @example
 * ```ts
 * import { ethernet, framePortPair } from "@berth/berth";
 *
 * const [left, right] = framePortPair();
 * await using link = ethernet(left, { addresses: ["10.0.0.1/24"] });
 * await right.close();
 * ```
 */
export function framePortPair(options: LinkPairOptions = {}): [FramePort, FramePort] {
  return pairOf(options, ETHERNET_HEADER);
}

/** `before`: bytes in front of each IP packet that are carried too. */
function pairOf(options: LinkPairOptions, before: number): [Link, Link] {
  const { mtu = 1500, maxSuperPacket = 0, checksumOffload = false, queue = 1024 } = options;
  const { insideHost = false } = options;
  // Every link carries 68 bytes (RFC 791 3.2); a length field has 16 bits.
  requireInteger("mtu", mtu, 68, 65_535);
  requireInteger("maxSuperPacket", maxSuperPacket, 0, 65_535);
  requireInteger("queue", queue, 1, 1_000_000);
  const features = { mtu, maxSuperPacket, checksumOffload, insideHost };
  const towardsLeft = new PacketQueue(queue, features, before);
  const towardsRight = new PacketQueue(queue, features, before);
  return [
    new LinkEnd("memory-left", features, towardsLeft, towardsRight),
    new LinkEnd("memory-right", features, towardsRight, towardsLeft),
  ];
}

class LinkEnd implements Link {
  readonly name: string;
  readonly features: LinkFeatures;
  readonly #incoming: PacketQueue;
  readonly #outgoing: PacketQueue;

  constructor(name: string, features: LinkFeatures, incoming: PacketQueue, outgoing: PacketQueue) {
    this.name = name;
    this.features = features;
    this.#incoming = incoming;
    this.#outgoing = outgoing;
  }

  receive(batch: PacketBatch): number {
    return this.#incoming.takeInto(batch);
  }

  ready(): Promise<boolean> {
    return this.#incoming.ready();
  }

  send(packet: OutgoingPacket): boolean {
    return !this.#incoming.closed && this.#outgoing.put(packet);
  }

  /** What was sent before can still be received at the other end. */
  close(): Promise<void> {
    this.#incoming.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
