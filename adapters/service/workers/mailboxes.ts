/**
 * Packets from shard to shard, each in a thread of its own.
 *
 * @module
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Queue } from "../../../core/buffers/queue.ts";
import type { ShardPacket } from "../../../core/stack/sharding/shard.ts";

/** Bytes that wait for one shard, at most; more are dropped, as by any link that is full. */
export const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** What one shard needs to reach the others; `ports` have to be transferred to its thread. */
export interface MailboxEnds {
  /** By shard; none for the own. */
  readonly ports: readonly (MessagePort | undefined)[];
  /** How many bytes wait for each shard; every thread sees the same. */
  readonly waiting: SharedArrayBuffer;
}

/** What a shard sends to another. */
type Parcel = Pick<ShardPacket, "packet" | "segmentSize">;

/** A channel for every two of `count` shards; the ends of each shard. */
export function connectMailboxes(count: number): MailboxEnds[] {
  const ports = Array.from({ length: count }, () => new Array<MessagePort | undefined>(count));
  for (let one = 0; one < count; one++) {
    for (let other = one + 1; other < count; other++) {
      const { port1, port2 } = new MessageChannel();
      ports[one]![other] = port1;
      ports[other]![one] = port2;
    }
  }
  const waiting = new SharedArrayBuffer(4 * count);
  return ports.map((own) => ({ ports: own, waiting }));
}

/** One shard's ends, in its thread. */
export class Mailboxes {
  readonly #ports: readonly (MessagePort | undefined)[];
  readonly #waiting: Int32Array<SharedArrayBuffer>;
  readonly #own: number;
  readonly #arrived = new Queue<Parcel>();

  /** `onArrival` is called whenever {@link take} has something more. */
  constructor(own: number, { ports, waiting }: MailboxEnds, onArrival: () => void) {
    this.#own = own;
    this.#ports = ports;
    this.#waiting = new Int32Array(waiting);
    for (const port of ports) {
      port?.on("message", (parcel: Parcel) => {
        this.#arrived.push(parcel);
        onArrival();
      });
    }
  }

  /** False: too much waits for that shard, the packet was dropped. */
  send({ shard, packet, segmentSize }: ShardPacket): boolean {
    const port = this.#ports[shard];
    if (port === undefined) return false;
    if (Atomics.add(this.#waiting, shard, packet.length) + packet.length > MAX_WAITING_BYTES) {
      Atomics.sub(this.#waiting, shard, packet.length);
      return false;
    }
    const parcel: Parcel = { packet, segmentSize };
    port.postMessage(parcel, [packet.buffer]);
    return true;
  }

  /** The next packet that has come. */
  take(): Parcel | undefined {
    const parcel = this.#arrived.shift();
    if (parcel !== undefined) Atomics.sub(this.#waiting, this.#own, parcel.packet.length);
    return parcel;
  }

  /** Whether {@link take} has something. */
  get hasArrived(): boolean {
    return this.#arrived.count > 0;
  }

  /** Nothing comes any more. */
  close(): void {
    for (const port of this.#ports) port?.close();
  }
}
