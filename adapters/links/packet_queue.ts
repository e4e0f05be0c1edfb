import type {
  ChecksumState,
  LinkFeatures,
  OutgoingPacket,
  PacketBatch,
} from "../../core/stack/link.ts";

/** Maximum size of unused buffers that are kept, in bytes; a burst may have needed more. */
const MAX_KEPT_BYTES = 8 * 1024 * 1024;

const NO_PACKET = new Uint8Array(0);

/**
 * A bounded queue of packets, stored as copies, until `receive()`. It keeps up to {@link
 * MAX_KEPT_BYTES} of unused buffers for reuse.
 */
export class PacketQueue {
  /** Set once the queue neither accepts nor delivers packets. */
  closed = false;
  readonly #capacity: number;
  readonly #features: LinkFeatures;
  readonly #before: number;
  readonly #buffers: BufferPool;
  readonly #packets: Uint8Array<ArrayBuffer>[] = [];
  readonly #sizes: Uint32Array;
  readonly #segmentSizes: Uint32Array;
  readonly #checksums: ChecksumState[] = [];
  /** Index of the oldest packet, and number of packets. */
  #first = 0;
  #length = 0;
  /** Buffers lent by the last `takeInto()`, valid until the next. */
  readonly #lent: Uint8Array<ArrayBuffer>[] = [];
  #waiting: PromiseWithResolvers<boolean> | undefined;
  #onRoom: (() => void) | undefined;

  /** `before` is the number of bytes before each IP packet that are stored with it. */
  constructor(capacity: number, features: LinkFeatures, before = 0) {
    this.#capacity = capacity;
    this.#features = features;
    this.#before = before;
    this.#buffers = new BufferPool(before + features.mtu, before + features.maxSuperPacket);
    this.#sizes = new Uint32Array(capacity);
    this.#segmentSizes = new Uint32Array(capacity);
  }

  /** Size of the unused buffers, in bytes. */
  get kept(): number {
    return this.#buffers.kept;
  }

  /** Whether there are no packets. */
  get isEmpty(): boolean {
    return this.#length === 0;
  }

  /** See `Link`. */
  isFull(onRoom: () => void): boolean {
    if (this.closed || this.#length < this.#capacity) return false;
    this.#onRoom = onRoom;
    return true;
  }

  /**
   * Appends a copy of a packet; returns false if the queue is full or the packet exceeds the MTU.
   */
  put(
    packet: OutgoingPacket,
    checksum: ChecksumState = packet.checksumPartial ? "partial" : "full",
  ): boolean {
    const size = packet.byteLength;
    const buffer = this.#room(size, packet.segmentSize, checksum);
    if (buffer === undefined) return false;
    packet.copyTo(buffer, 0, this.#before);
    this.#wake(true);
    return true;
  }

  /** {@link put} for a contiguous packet, by default with a checksum to verify. */
  putBytes(packet: Uint8Array, checksum: ChecksumState = "full", segmentSize = 0): boolean {
    const buffer = this.#room(packet.length - this.#before, segmentSize, checksum);
    if (buffer === undefined) return false;
    buffer.set(packet);
    this.#wake(true);
    return true;
  }

  #room(
    size: number,
    segmentSize: number,
    checksum: ChecksumState,
  ): Uint8Array<ArrayBuffer> | undefined {
    const { mtu, maxSuperPacket } = this.#features;
    if (size > (segmentSize > 0 ? maxSuperPacket : mtu)) return undefined;
    if (this.closed || this.#length >= this.#capacity) return undefined;
    const slot = (this.#first + this.#length++) % this.#capacity;
    this.#packets[slot] = this.#buffers.take(this.#before + size);
    this.#sizes[slot] = this.#before + size;
    this.#segmentSizes[slot] = segmentSize;
    this.#checksums[slot] = checksum;
    return this.#packets[slot];
  }

  /** Moves the oldest packets into `batch`, valid until the next call; returns their number. */
  takeInto(batch: PacketBatch): number {
    while (this.#lent.length > 0) this.#buffers.give(this.#lent.pop()!);
    const count = Math.min(this.#length, batch.capacity);
    for (let i = 0; i < count; i++) {
      const slot = this.#first;
      const packet = this.#packets[slot]!;
      this.#packets[slot] = NO_PACKET;
      batch.packets[i] = packet;
      batch.sizes[i] = this.#sizes[slot]!;
      batch.segmentSizes[i] = this.#segmentSizes[slot]!;
      batch.checksums[i] = this.#checksums[slot]!;
      this.#lent.push(packet);
      this.#first = (slot + 1) % this.#capacity;
    }
    this.#length -= count;
    if (count > 0) this.#notifyRoom();
    return count;
  }

  /** See `Link`. */
  ready(): Promise<boolean> {
    if (this.closed) return Promise.resolve(false);
    if (this.#length > 0) return Promise.resolve(true);
    this.#waiting ??= Promise.withResolvers();
    return this.#waiting.promise;
  }

  /** Drops all packets; a pending `ready()` resolves with false. */
  close(): void {
    this.closed = true;
    this.#length = 0;
    this.#packets.length = 0;
    this.#lent.length = 0;
    this.#buffers.clear();
    this.#wake(false);
    this.#notifyRoom();
  }

  #notifyRoom(): void {
    const onRoom = this.#onRoom;
    this.#onRoom = undefined;
    onRoom?.();
  }

  #wake(hasPackets: boolean): void {
    this.#waiting?.resolve(hasPackets);
    this.#waiting = undefined;
  }
}

/** Unused buffers, last in first out so that they are likely still in the CPU cache. */
class BufferPool {
  readonly #ordinarySize: number;
  readonly #largestSize: number;
  readonly #ordinary: Uint8Array<ArrayBuffer>[] = [];
  readonly #large: Uint8Array<ArrayBuffer>[] = [];
  #kept = 0;

  constructor(mtu: number, maxSuperPacket: number) {
    this.#ordinarySize = mtu;
    this.#largestSize = Math.max(mtu, maxSuperPacket);
  }

  take(size: number): Uint8Array<ArrayBuffer> {
    const isOrdinary = size <= this.#ordinarySize;
    const buffer = (isOrdinary ? this.#ordinary : this.#large).pop();
    if (buffer === undefined) {
      return new Uint8Array(isOrdinary ? this.#ordinarySize : this.#largestSize);
    }
    this.#kept -= buffer.length;
    return buffer;
  }

  give(buffer: Uint8Array<ArrayBuffer>): void {
    if (this.#kept + buffer.length > MAX_KEPT_BYTES) return;
    this.#kept += buffer.length;
    (buffer.length === this.#ordinarySize ? this.#ordinary : this.#large).push(buffer);
  }

  /** Size of the unused buffers, in bytes. */
  get kept(): number {
    return this.#kept;
  }

  clear(): void {
    this.#ordinary.length = 0;
    this.#large.length = 0;
    this.#kept = 0;
  }
}
