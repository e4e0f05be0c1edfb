/**
 * Carries packets between shards, which run in different threads.
 *
 * @module
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import { Queue } from "../../../core/buffers/queue.ts";
import type { ShardPacket } from "../../../core/stack/sharding/shard.ts";

/**
 * Maximum number of bytes waiting for one shard; packets beyond it are dropped, as on a full link.
 */
export const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** One shard's ports to the others; they have to be transferred to its thread. */
export interface MailboxEnds {
  /** By shard; `undefined` for the shard itself. */
  readonly ports: readonly (MessagePort | undefined)[];
  /** The number of bytes that wait for each shard, shared by all threads. */
  readonly waiting: SharedArrayBuffer;
}

/** A packet on its way to another shard. */
type MailboxPacket = Omit<ShardPacket, "shard">;

/** Connects each pair of `count` shards by a channel; returns the ends of each shard. */
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

/** The mailboxes of one shard, in its thread. */
export class Mailboxes {
  readonly #ports: readonly (MessagePort | undefined)[];
  readonly #waiting: Int32Array<SharedArrayBuffer>;
  readonly #own: number;
  readonly #arrived = new Queue<MailboxPacket>();
  /** Messages of other instances. */
  readonly #messages = new Queue<MailboxPacket>();
  /** Called for each message that {@link takeMessage} can return. */
  onMessage: () => void = () => {};

  /** `onArrival` is called for each packet that {@link take} can return. */
  constructor(own: number, { ports, waiting }: MailboxEnds, onArrival: () => void) {
    this.#own = own;
    this.#ports = ports;
    this.#waiting = new Int32Array(waiting);
    for (const port of ports) {
      port?.on("message", (parcel: MailboxPacket) => {
        (parcel.isMessage ? this.#messages : this.#arrived).push(parcel);
        if (parcel.isMessage) this.onMessage();
        else onArrival();
      });
    }
  }

  /** Sends a packet to its shard; false if too much waits there and it was dropped. */
  send({ shard, isMessage, packet, segmentSize }: ShardPacket): boolean {
    const port = this.#ports[shard];
    if (port === undefined) return false;
    if (Atomics.add(this.#waiting, shard, packet.length) + packet.length > MAX_WAITING_BYTES) {
      Atomics.sub(this.#waiting, shard, packet.length);
      return false;
    }
    const parcel: MailboxPacket = { isMessage, packet, segmentSize };
    port.postMessage(parcel, [packet.buffer]);
    return true;
  }

  /** The next packet that has arrived. */
  take(): MailboxPacket | undefined {
    return this.#takeFrom(this.#arrived);
  }

  /** The next message of another instance that has arrived. */
  takeMessage(): Uint8Array | undefined {
    return this.#takeFrom(this.#messages)?.packet;
  }

  /** Whether {@link takeMessage} would return a message. */
  get hasMessage(): boolean {
    return this.#messages.count > 0;
  }

  #takeFrom(queue: Queue<MailboxPacket>): MailboxPacket | undefined {
    const parcel = queue.shift();
    if (parcel !== undefined) Atomics.sub(this.#waiting, this.#own, parcel.packet.length);
    return parcel;
  }

  /** Whether {@link take} would return a packet. */
  get hasArrived(): boolean {
    return this.#arrived.count > 0;
  }

  /** Closes the channels. */
  close(): void {
    for (const port of this.#ports) port?.close();
  }
}
