import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";
import { ETHERNET_HEADER } from "../../core/wire/ethernet.ts";
import type { FramePort } from "./ethernet/frame_port.ts";
import { requireInteger } from "./integer_option.ts";
import { PacketQueue } from "./packet_queue.ts";

/** Options of {@link linkPair}. */
export interface LinkPairOptions {
  /** Largest IP packet on the wire, in bytes. Default 1500. */
  mtu?: number;
  /** Largest TCP super-packet, in bytes including its IP header. Default 0: none. */
  maxSuperPacket?: number;
  /** Whether the TCP checksum may be left to offload. Default false. */
  checksumOffload?: boolean;
  /**
   * Neither end leads out of the host, so 127.0.0.0/8 and `::1` are allowed as own addresses and
   * peers (see `LinkFeatures`). Default false.
   */
  insideHost?: boolean;
  /**
   * Maximum number of packets in transit per direction. Default 1024. A stack keeps further packets
   * until there is room; if the other end receives none for a second, they are dropped.
   */
  queue?: number;
}

/**
 * Two links joined in memory: each receives what the other sends, whole and in order.
 *
 * @throws {RangeError} An option is out of range.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
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
 * import { ethernet, framePortPair } from "@berth/berth/links";
 *
 * const [left, right] = framePortPair();
 * await using link = ethernet(left, { addresses: ["10.0.0.1/24"] });
 * await right.close();
 * ```
 */
export function framePortPair(options: LinkPairOptions = {}): [FramePort, FramePort] {
  return pairOf(options, ETHERNET_HEADER);
}

/** `before` is the number of bytes before each IP packet that are carried too. */
function pairOf(options: LinkPairOptions, before: number): [Link, Link] {
  const { mtu = 1500, maxSuperPacket = 0, checksumOffload = false, queue = 1024 } = options;
  const { insideHost = false } = options;
  // Every link carries packets of 68 bytes (RFC 791 3.2); the total length field has 16 bits.
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

  isFull(onRoom: () => void): boolean {
    return !this.#incoming.closed && this.#outgoing.isFull(onRoom);
  }

  /** Closes this end; packets sent before can still be received at the other end. */
  close(): Promise<void> {
    this.#incoming.close();
    return Promise.resolve();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }
}
