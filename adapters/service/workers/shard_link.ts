/**
 * The link of a shard: one queue of the device, and packets that other shards forward.
 *
 * @module
 */
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../../core/stack/link.ts";
import type { GenerationPacket } from "../../../core/stack/sharding/generations.ts";
import type { Shard, ShardPacket } from "../../../core/stack/sharding/shard.ts";
import { JoinedWait } from "../../links/joined_wait.ts";
import { type MailboxEnds, Mailboxes } from "./mailboxes.ts";

/** A queue of the device and the mailboxes of a shard as one link. */
export class ShardLink implements Link {
  readonly name: string;
  readonly features: LinkFeatures;
  readonly #queue: Link;
  /** Packets from other shards, and messages of other instances that the first shard has received. */
  readonly mailboxes: Mailboxes;
  readonly #wait: JoinedWait;

  /** Owns `queue` and `ends`, which are closed with the link. */
  constructor(queue: Link, shard: Shard, ends: MailboxEnds) {
    this.name = queue.name;
    this.features = { ...queue.features, shard };
    this.#queue = queue;
    this.#wait = new JoinedWait(queue);
    this.mailboxes = new Mailboxes(shard.index, ends, () => this.#wait.wake());
  }

  receive(batch: PacketBatch): number {
    return this.mailboxes.hasArrived ? this.#receiveForwarded(batch) : this.#queue.receive(batch);
  }

  ready(): Promise<boolean> {
    return this.#wait.ready(this.mailboxes.hasArrived);
  }

  send(packet: OutgoingPacket): boolean {
    return this.#queue.send(packet);
  }

  forwardToShard(foreign: ShardPacket | GenerationPacket): boolean {
    if ("shard" in foreign) return this.mailboxes.send(foreign);
    return this.#queue.forwardToShard?.(foreign) ?? false;
  }

  stats(): Readonly<Record<string, number>> {
    return this.#queue.stats?.() ?? {};
  }

  async close(): Promise<void> {
    this.mailboxes.close();
    await this.#queue.close();
  }

  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #receiveForwarded(batch: PacketBatch): number {
    for (let count = 0; count < batch.capacity; count++) {
      const parcel = this.mailboxes.take();
      if (parcel === undefined) return count;
      batch.packets[count] = parcel.packet;
      batch.sizes[count] = parcel.packet.length;
      batch.checksums[count] = "verified";
      batch.segmentSizes[count] = parcel.segmentSize;
    }
    return batch.capacity;
  }
}
