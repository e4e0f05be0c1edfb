/**
 * Queues of received datagrams, in bounded memory.
 *
 * @module
 */
import { Queue } from "../buffers/queue.ts";
import type { IpAddress } from "../wire/address.ts";
import type { DropReason } from "../wire/drop_reason.ts";

/** A received datagram, copied out of its packet. */
export interface Datagram {
  readonly data: Uint8Array<ArrayBuffer>;
  /** Destination address and port. */
  readonly local: IpAddress;
  readonly localPort: number;
  /** Source address and port. */
  readonly remote: IpAddress;
  readonly remotePort: number;
}

/** Memory accounted for a datagram in addition to its data: objects and its place in the queue. */
const OVERHEAD = 256;

/**
 * One source may hold at most this many times the free memory, so that there is always some left
 * for others.
 */
const SOURCE_TO_FREE = 4;

/** Limits of the receive queues. Sizes are in bytes and include 256 for each datagram. */
export interface QueueLimits {
  /** Datagrams in one queue. */
  readonly maxDatagrams: number;
  /** Bytes in one queue. */
  readonly maxBytes: number;
  /** Bytes in all queues of a stack; the flows of one source hold at most four fifths of them. */
  readonly maxMemory: number;
}

/** Bytes in the queues of one source. */
export interface SourceMemory {
  byteLength: number;
}

/** Memory account shared by all queues of a stack. */
export class QueueMemory {
  readonly limits: QueueLimits;
  /** Bytes in all queues. */
  byteLength = 0;

  constructor(limits: QueueLimits) {
    this.limits = limits;
  }
}

/**
 * The datagrams received by one flow or socket, in order of arrival. A full queue drops the newest
 * datagram, as kernels do.
 */
export class DatagramQueue {
  readonly #memory: QueueMemory;
  readonly #source: SourceMemory | undefined;
  readonly #datagrams = new Queue<Datagram>();
  #byteLength = 0;

  /** `source`: the account to charge if all datagrams come from one source. */
  constructor(memory: QueueMemory, source?: SourceMemory) {
    this.#memory = memory;
    this.#source = source;
  }

  get count(): number {
    return this.#datagrams.count;
  }

  /** The reason to drop a datagram of `length` bytes; `undefined` if it fits. */
  refusal(length: number): DropReason | undefined {
    const { limits, byteLength } = this.#memory;
    const cost = length + OVERHEAD;
    if (this.count >= limits.maxDatagrams) return "udp-queue";
    if (this.#byteLength + cost > limits.maxBytes) return "udp-queue";
    const free = limits.maxMemory - byteLength;
    const held = this.#source?.byteLength ?? 0;
    return cost > free || held + cost > SOURCE_TO_FREE * free ? "udp-memory" : undefined;
  }

  /** Appends a datagram, after {@link refusal} returned `undefined`. */
  push(datagram: Datagram): void {
    this.#account(datagram.data.length + OVERHEAD);
    this.#datagrams.push(datagram);
  }

  /** Removes the oldest datagram. */
  shift(): Datagram | undefined {
    const datagram = this.#datagrams.shift();
    if (datagram !== undefined) this.#account(-datagram.data.length - OVERHEAD);
    return datagram;
  }

  /** Empties the queue; returns the number of datagrams removed. */
  clear(): number {
    const { count } = this;
    while (this.shift() !== undefined);
    return count;
  }

  #account(bytes: number): void {
    this.#byteLength += bytes;
    if (this.#source !== undefined) this.#source.byteLength += bytes;
    this.#memory.byteLength += bytes;
  }
}
