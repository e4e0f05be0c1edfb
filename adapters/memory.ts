import type {
  ChecksumState,
  Link,
  LinkFeatures,
  OutgoingPacket,
  PacketBatch,
} from "../core/stack/link.ts";

/** What {@link linkPair} takes. */
export interface LinkPairOptions {
  /** Largest IP packet on the wire, in bytes. Default 1500. */
  mtu?: number;
  /** Largest TCP super-packet, in bytes with its IP header. Default 0: none. */
  maxSuperPacket?: number;
  /** Packets may leave the TCP checksum out. Default false. */
  checksumOffload?: boolean;
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
 * import { linkPair } from "@berth/berth";
 *
 * const [left, right] = linkPair({ mtu: 9000 });
 * await left.close();
 * await right.close();
 * ```
 */
export function linkPair(options: LinkPairOptions = {}): [Link, Link] {
  const { mtu = 1500, maxSuperPacket = 0, checksumOffload = false, queue = 1024 } = options;
  // Every link carries 68 bytes (RFC 791 3.2); a length field has 16 bits.
  requireInteger("mtu", mtu, 68, 65_535);
  requireInteger("maxSuperPacket", maxSuperPacket, 0, 65_535);
  requireInteger("queue", queue, 1, 1_000_000);
  const features = { mtu, maxSuperPacket, checksumOffload };
  const towardsLeft = new PacketQueue(queue, features);
  const towardsRight = new PacketQueue(queue, features);
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

/** One direction of a pair. */
class PacketQueue {
  closed = false;
  readonly #capacity: number;
  readonly #features: LinkFeatures;
  readonly #buffers: BufferPool;
  readonly #packets: Uint8Array<ArrayBuffer>[] = [];
  readonly #sizes: Uint32Array;
  readonly #segmentSizes: Uint32Array;
  readonly #checksums: ChecksumState[] = [];
  /** Where the oldest packet is, and how many there are. */
  #first = 0;
  #length = 0;
  /** What the last `takeInto()` handed out is valid until the next. */
  readonly #lent: Uint8Array<ArrayBuffer>[] = [];
  #waiting: PromiseWithResolvers<boolean> | undefined;

  constructor(capacity: number, features: LinkFeatures) {
    this.#capacity = capacity;
    this.#features = features;
    this.#buffers = new BufferPool(features.mtu, features.maxSuperPacket);
    this.#sizes = new Uint32Array(capacity);
    this.#segmentSizes = new Uint32Array(capacity);
  }

  put(packet: OutgoingPacket): boolean {
    const { mtu, maxSuperPacket } = this.#features;
    const size = packet.byteLength;
    if (size > (packet.segmentSize > 0 ? maxSuperPacket : mtu)) return false;
    if (this.closed || this.#length + this.#lent.length >= this.#capacity) return false;
    const slot = (this.#first + this.#length++) % this.#capacity;
    const buffer = this.#buffers.take(size);
    packet.copyTo(buffer, 0);
    this.#packets[slot] = buffer;
    this.#sizes[slot] = size;
    this.#segmentSizes[slot] = packet.segmentSize;
    this.#checksums[slot] = packet.checksumPartial ? "partial" : "full";
    this.#wake(true);
    return true;
  }

  takeInto(batch: PacketBatch): number {
    while (this.#lent.length > 0) this.#buffers.give(this.#lent.pop()!);
    const count = Math.min(this.#length, batch.capacity);
    for (let i = 0; i < count; i++) {
      const slot = this.#first;
      const packet = this.#packets[slot]!;
      batch.packets[i] = packet;
      batch.sizes[i] = this.#sizes[slot]!;
      batch.segmentSizes[i] = this.#segmentSizes[slot]!;
      batch.checksums[i] = this.#checksums[slot]!;
      this.#lent.push(packet);
      this.#first = (slot + 1) % this.#capacity;
    }
    this.#length -= count;
    return count;
  }

  ready(): Promise<boolean> {
    if (this.closed) return Promise.resolve(false);
    if (this.#length > 0) return Promise.resolve(true);
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  close(): void {
    this.closed = true;
    this.#length = 0;
    this.#packets.length = 0;
    this.#lent.length = 0;
    this.#buffers.clear();
    this.#wake(false);
  }

  #wake(hasPackets: boolean): void {
    this.#waiting?.resolve(hasPackets);
    this.#waiting = undefined;
  }
}

/** Buffers to use again, last in first out so that they are still in the processor's cache. */
class BufferPool {
  readonly #ordinarySize: number;
  readonly #largestSize: number;
  readonly #ordinary: Uint8Array<ArrayBuffer>[] = [];
  readonly #large: Uint8Array<ArrayBuffer>[] = [];

  constructor(mtu: number, maxSuperPacket: number) {
    this.#ordinarySize = mtu;
    this.#largestSize = Math.max(mtu, maxSuperPacket);
  }

  take(size: number): Uint8Array<ArrayBuffer> {
    return size <= this.#ordinarySize
      ? this.#ordinary.pop() ?? new Uint8Array(this.#ordinarySize)
      : this.#large.pop() ?? new Uint8Array(this.#largestSize);
  }

  give(buffer: Uint8Array<ArrayBuffer>): void {
    (buffer.length === this.#ordinarySize ? this.#ordinary : this.#large).push(buffer);
  }

  clear(): void {
    this.#ordinary.length = 0;
    this.#large.length = 0;
  }
}

function requireInteger(name: string, value: number, least: number, most: number): void {
  if (Number.isInteger(value) && value >= least && value <= most) return;
  throw new RangeError(`${name} must be an integer from ${least} to ${most}, not ${value}`);
}
