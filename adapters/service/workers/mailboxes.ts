/**
 * Carries packets between shards, which run in different threads.
 *
 * @module
 */
import { MessageChannel, type MessagePort } from "node:worker_threads";
import type { ShardPacket } from "../../../core/stack/sharding/shard.ts";
import { PacketRing, ringMemory, type RingPacket } from "./packet_ring.ts";

/**
 * Maximum number of bytes of packets that wait for one shard, including a header of 8 bytes for each packet; further
 * packets are dropped, as on a full link. Messages have their own ring with the same maximum.
 */
export const MAX_WAITING_BYTES = 4 * 1024 * 1024;

/** The ports and memory of the mailboxes of one shard; the ports have to be transferred to its thread. */
export interface MailboxEnds {
  /** Ports to the other shards, which wake them up; `undefined` for the shard itself. */
  readonly ports: readonly (MessagePort | undefined)[];
  /** The packets that wait for each shard. */
  readonly packets: readonly SharedArrayBuffer[];
  /** The messages of other instances that wait for each shard. */
  readonly messages: readonly SharedArrayBuffer[];
  /** A word for each shard, which is 1 while a wake-up is pending. */
  readonly notified: SharedArrayBuffer;
  /** A word for each shard: whether it knows that the other instances list this one. */
  readonly joined: SharedArrayBuffer;
}

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
  const memories = () => Array.from({ length: count }, () => ringMemory(MAX_WAITING_BYTES));
  const shared = {
    packets: memories(),
    messages: memories(),
    notified: new SharedArrayBuffer(4 * count),
    joined: new SharedArrayBuffer(4 * count),
  };
  return ports.map((own) => ({ ports: own, ...shared }));
}

/** Whether all shards know that the other instances list this one. */
export function haveJoined({ joined }: Pick<MailboxEnds, "joined">): boolean {
  return new Int32Array(joined).every((_, shard, flags) => Atomics.load(flags, shard) === 1);
}

/** The mailboxes of one shard, in its thread. */
export class Mailboxes {
  readonly #ports: readonly (MessagePort | undefined)[];
  readonly #packets: readonly PacketRing[];
  readonly #messages: readonly PacketRing[];
  readonly #notified: Int32Array<SharedArrayBuffer>;
  readonly #own: number;
  readonly #onArrival: () => void;
  /** Called when messages have arrived that {@link takeMessage} can return. */
  onMessage: () => void = () => {};

  /** `onArrival` is called when packets have arrived that {@link take} can return. */
  constructor(own: number, ends: MailboxEnds, onArrival: () => void) {
    this.#own = own;
    this.#ports = ends.ports;
    this.#packets = ends.packets.map((memory) => new PacketRing(memory));
    this.#messages = ends.messages.map((memory) => new PacketRing(memory));
    this.#notified = new Int32Array(ends.notified);
    this.#onArrival = onArrival;
    for (const port of ends.ports) port?.on("message", () => this.#onWakeUp());
  }

  /** Sends a packet to its shard; returns false if it was dropped because too many bytes wait there. */
  send({ shard, isMessage, packet, segmentSize }: ShardPacket): boolean {
    const port = this.#ports[shard];
    if (port === undefined) return false;
    const rings = isMessage ? this.#messages : this.#packets;
    if (!rings[shard]!.put(packet, segmentSize)) return false;
    // One wake-up is enough for everything that arrives before it is handled.
    if (Atomics.exchange(this.#notified, shard, 1) === 0) port.postMessage(0);
    return true;
  }

  /** The next packet that has arrived. */
  take(): RingPacket | undefined {
    return this.#packets[this.#own]!.take();
  }

  /** Whether {@link take} would return a packet. */
  get hasArrived(): boolean {
    return this.#packets[this.#own]!.hasPacket;
  }

  /** The next message of another instance that has arrived. */
  takeMessage(): Uint8Array | undefined {
    return this.#messages[this.#own]!.take()?.packet;
  }

  /** Whether {@link takeMessage} would return a message. */
  get hasMessage(): boolean {
    return this.#messages[this.#own]!.hasPacket;
  }

  /** Closes the channels. */
  close(): void {
    for (const port of this.#ports) port?.close();
  }

  /** Clears the flag first, so that anything that arrives afterwards causes another wake-up. */
  #onWakeUp(): void {
    Atomics.store(this.#notified, this.#own, 0);
    if (this.hasMessage) this.onMessage();
    if (this.hasArrived) this.#onArrival();
  }
}
