/**
 * Datagrams that wait to be read, in bounded memory.
 *
 * @module
 */
import { Queue } from "../buffers/queue.ts";
import type { IpAddress } from "../wire/address.ts";
import type { DropReason } from "../wire/drop_reason.ts";

/** A received datagram, copied out of its packet. */
export interface Datagram {
  readonly data: Uint8Array<ArrayBuffer>;
  /** The address and port that it was sent to. */
  readonly local: IpAddress;
  readonly localPort: number;
  /** Who sent it. */
  readonly remote: IpAddress;
  readonly remotePort: number;
}

/** What a datagram costs beside its bytes: objects, a place in the queue. */
const OVERHEAD = 256;

/** One source holds so many times what is left for others at most, so that something always is. */
const SHARE = 4;

/** How much may wait to be read. Sizes in bytes, 256 for each datagram included. */
export interface QueueLimits {
  /** Datagrams in one queue. */
  readonly maxDatagrams: number;
  /** Bytes in one queue. */
  readonly maxBytes: number;
  /** Bytes in all queues of a stack; a single source of flows holds four fifths of it at most. */
  readonly maxMemory: number;
}

/** Bytes that wait in the queues of one source. */
export interface SourceMemory {
  byteLength: number;
}

/** What the queues of one stack share. */
export class QueueMemory {
  readonly limits: QueueLimits;
  /** Bytes that all of them hold. */
  byteLength = 0;

  constructor(limits: QueueLimits) {
    this.limits = limits;
  }
}

/**
 * The datagrams of one flow or socket, in the order in which they came. When it is full the newest
 * is dropped, as a kernel does: what has waited longest is read next.
 */
export class DatagramQueue {
  readonly #memory: QueueMemory;
  readonly #source: SourceMemory | undefined;
  readonly #datagrams = new Queue<Datagram>();
  #byteLength = 0;

  /** `source`: of whom all datagrams are, if they are one source's. */
  constructor(memory: QueueMemory, source?: SourceMemory) {
    this.#memory = memory;
    this.#source = source;
  }

  get count(): number {
    return this.#datagrams.count;
  }

  /** Why there is no room for `length` bytes of data; `undefined` when there is. */
  refusal(length: number): DropReason | undefined {
    const { limits, byteLength } = this.#memory;
    const cost = length + OVERHEAD;
    if (this.count >= limits.maxDatagrams) return "udp-queue";
    if (this.#byteLength + cost > limits.maxBytes) return "udp-queue";
    const free = limits.maxMemory - byteLength;
    const held = this.#source?.byteLength ?? 0;
    return cost > free || held + cost > SHARE * free ? "udp-memory" : undefined;
  }

  /** Keeps a datagram that was not refused. */
  push(datagram: Datagram): void {
    this.#account(datagram.data.length + OVERHEAD);
    this.#datagrams.push(datagram);
  }

  /** The oldest. */
  shift(): Datagram | undefined {
    const datagram = this.#datagrams.shift();
    if (datagram !== undefined) this.#account(-datagram.data.length - OVERHEAD);
    return datagram;
  }

  /** Empties it; returns how many there were. */
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
