import type { Clock } from "../../../core/api/environment.ts";
import {
  type ChecksumState,
  type Link,
  type LinkFeatures,
  OutgoingPacket,
  PacketBatch,
} from "../../../core/stack/link.ts";
import { NO_PROCESS_ASKED } from "../../../core/stack/sharding/generations.ts";
import { requireInteger } from "../integer_option.ts";
import { JoinedWait } from "../joined_wait.ts";
import { PacketQueue } from "../packet_queue.ts";
import { checkImpairments, type Impairments, NO_IMPAIRMENT } from "./impair/impairments.ts";
import { type ImpairedCounts, ImpairedPath } from "./impair/path.ts";
import { Segmenter } from "./impair/segments.ts";

export type { Impairments } from "./impair/impairments.ts";
export type { ImpairedCounts } from "./impair/path.ts";

/** {@link Impairments} of sent packets and, in `incoming`, of received packets. */
export interface LinkImpairments extends Impairments {
  /** Impairments of received packets. Default: none. */
  incoming?: Impairments;
}

/** Options of {@link impair}. */
export interface ImpairOptions extends LinkImpairments {
  /** Seed of the random numbers; the same seed, clock and packets give the same result. */
  seed: number;
  /** The clock that delays packets. */
  clock: Clock;
  /** Maximum number of delayed packets per direction; more are dropped. Default 1024. */
  queue?: number;
  /**
   * Offers the offload of the underlying link, and while there are impairments splits super-packets itself, so that
   * each segment is impaired separately. Choose it for impairments that begin while the link is in use: until then,
   * packets pass unchanged. Default false.
   */
  splitsSuperPackets?: boolean;
}

/**
 * Impairs a link with delay, loss, reordering, corruption and limited bandwidth, as netem does for
 * a network device.
 *
 * Sent packets are impaired, and with `incoming` received packets too. The result offers neither super-packets nor
 * checksum offload, so that each segment is impaired separately and checksums detect corruption; with
 * `splitsSuperPackets` it offers both. Without `splitsSuperPackets`, a super-packet received from the underlying link
 * is impaired as a whole; a TUN device opened with `offload: false` receives none.
 *
 * @throws {RangeError} A share is not between 0 and 1, a time not between 0 and an hour, or
 * `bitsPerSecond` is below 1.
 *
 * @example
 * ```ts
 * import { createStack, systemClock } from "@berth/berth";
 * import { impair, linkPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * const slow = impair(here, {
 *   seed: 1,
 *   clock: systemClock,
 *   delayMs: 5,
 *   bitsPerSecond: 1e6,
 *   queueBytes: 30_000,
 *   incoming: { loss: 0.05 },
 * });
 * await using server = createStack({ link: slow, addresses: ["10.0.0.1/24"] });
 * server.use(7, echo());
 * slow.set({ bitsPerSecond: 1e7, incoming: { loss: 0 } }); // while it runs
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7", { allowHalfOpen: true });
 * await socket.write(new TextEncoder().encode("ahoy"));
 * await socket.closeWrite();
 * const answer = await new Response(socket.readable).text();
 * if (answer !== "ahoy") throw new Error(answer);
 * ```
 */
export function impair(link: Link, options: ImpairOptions): ImpairedLink {
  return new ImpairedLink(link, options);
}

/** Added to the seed for the incoming direction; users' seeds rarely have this bit set. */
const INCOMING_SEED = 2 ** 40;
const BATCH = 64;
/** The total length field has 16 bits (RFC 791 3.1). */
const MAX_PACKET = 65_535;

/**
 * An impaired link; created by {@link impair}.
 *
 * @example
 * ```ts
 * import { systemClock } from "@berth/berth";
 * import { impair, type ImpairedLink, linkPair } from "@berth/berth/links";
 *
 * const [link, other] = linkPair();
 * await using path: ImpairedLink = impair(link, { seed: 1, clock: systemClock, loss: 0.1 });
 * path.set({ delayMs: 20 }); // in addition to the loss
 * console.log(path.stats());
 * await other.close();
 * ```
 */
export class ImpairedLink implements Link {
  /** The name of the underlying link. */
  readonly name: string;
  /** The underlying link's MTU and `insideHost`; its offload only with `splitsSuperPackets`. */
  readonly features: LinkFeatures;
  /**
   * As in the underlying link.
   *
   * @internal
   */
  readonly forwardToShard?: NonNullable<Link["forwardToShard"]>;
  /** As in the underlying link; a delayed packet is dropped if that link is full when it is due. */
  readonly isFull?: (onRoom: () => void) => boolean;
  readonly #link: Link;
  readonly #outgoing: ImpairedPath;
  readonly #incoming: ImpairedPath;
  /** Received packets that are ready for the stack. */
  readonly #arrived: PacketQueue;
  /**
   * Set once incoming impairments are configured. From then on all received packets pass through
   * the queue, to keep their order.
   */
  #impairsIncoming = false;
  readonly #batch = new PacketBatch(BATCH);
  readonly #received = new OutgoingPacket();
  readonly #segmenter: Segmenter | undefined;
  #impairments: LinkImpairments = {};
  readonly #wait: JoinedWait;

  /** Called by {@link impair}. */
  constructor(link: Link, options: ImpairOptions) {
    const { seed, clock, queue = 1024, splitsSuperPackets = false, ...impairments } = options;
    if (splitsSuperPackets) this.#segmenter = new Segmenter();
    const { mtu, insideHost, shard, generations } = link.features;
    this.name = link.name;
    this.features = splitsSuperPackets ? link.features : {
      mtu,
      maxSuperPacket: 0,
      checksumOffload: false,
      ...(insideHost && { insideHost }),
      ...(shard && { shard }),
      ...(generations && { generations }),
    };
    if (link.forwardToShard) this.forwardToShard = (foreign) => link.forwardToShard!(foreign);
    if (link.isFull) this.isFull = (onRoom) => link.isFull!(onRoom);
    this.#link = link;
    this.#wait = new JoinedWait(link);
    requireInteger("seed", seed, 0, Number.MAX_SAFE_INTEGER);
    requireInteger("queue", queue, 1, 1_000_000);
    this.#outgoing = new ImpairedPath({ clock, seed, queue, deliver: (it) => link.send(it) });
    // A kernel device may deliver super-packets even though none are offered here.
    this.#arrived = new PacketQueue(queue + BATCH, {
      mtu,
      maxSuperPacket: MAX_PACKET,
      checksumOffload: true,
    });
    this.#incoming = new ImpairedPath({
      clock,
      seed: seed + INCOMING_SEED,
      queue,
      deliver: (packet, checksum) => this.#arrive(packet, checksum),
    });
    this.set(impairments);
  }

  /** Counters of impaired sent packets. */
  get counts(): Readonly<ImpairedCounts> {
    return this.#outgoing.counts;
  }

  /** Counters of impaired received packets. */
  get incomingCounts(): Readonly<ImpairedCounts> {
    return this.#incoming.counts;
  }

  /**
   * Changes the given impairments and leaves the others. Packets already in transit are not
   * affected.
   *
   * @throws {RangeError} A share is not between 0 and 1, a time not between 0 and an hour, or
   * `bitsPerSecond` is below 1.
   */
  set({ incoming, ...outgoing }: LinkImpairments): void {
    checkImpairments(outgoing);
    if (incoming) checkImpairments(incoming, "incoming.");
    this.#outgoing.set(outgoing);
    this.#impairments = { ...this.#impairments, ...outgoing };
    if (incoming === undefined) return;
    this.#impairsIncoming = true;
    this.#incoming.set(incoming);
    this.#impairments = {
      ...this.#impairments,
      incoming: { ...this.#impairments.incoming, ...incoming },
    };
  }

  /**
   * Replaces all impairments with the given ones.
   *
   * @throws {RangeError} As {@link set}; nothing has changed.
   */
  replace({ incoming, ...outgoing }: LinkImpairments): void {
    checkImpairments(outgoing);
    if (incoming) checkImpairments(incoming, "incoming.");
    this.#impairments = {};
    const received = this.#impairsIncoming || incoming
      ? { ...NO_IMPAIRMENT, ...incoming }
      : undefined;
    this.set({ ...NO_IMPAIRMENT, ...outgoing, ...received && { incoming: received } });
    this.#impairments = { ...outgoing, ...incoming && { incoming } };
  }

  /** The impairments that have been set. */
  get impairments(): LinkImpairments {
    return this.#impairments;
  }

  /** Counters of the underlying link, and those of both directions under `impair.`. */
  stats(): Readonly<Record<string, number>> {
    const counted: Record<string, number> = { ...this.#link.stats?.() };
    for (const [what, count] of Object.entries(this.counts)) counted[`impair.${what}`] = count;
    for (const [what, count] of Object.entries(this.incomingCounts)) {
      counted[`impair.incoming.${what}`] = count;
    }
    return counted;
  }

  /** Receives the packets that have arrived. */
  receive(batch: PacketBatch): number {
    if (!this.#impairsIncoming) return this.#link.receive(batch);
    const count = this.#link.receive(this.#batch);
    const { generations } = this.features;
    if (count > 0 && generations !== undefined && generations.asked !== NO_PROCESS_ASKED) {
      return this.#pass(batch, count);
    }
    for (let i = 0; i < count; i++) this.#impairReceived(i);
    if (generations !== undefined) generations.asked = NO_PROCESS_ASKED;
    return this.#arrived.takeInto(batch);
  }

  /**
   * Passes on packets that another process of the service has received and impaired already. They cannot be delayed
   * here, because `generations.asked`, the process that was asked last, belongs to a whole batch.
   */
  #pass(batch: PacketBatch, count: number): number {
    for (let i = 0; i < count; i++) {
      batch.packets[i] = this.#batch.packets[i]!;
      batch.sizes[i] = this.#batch.sizes[i]!;
      batch.checksums[i] = this.#batch.checksums[i]!;
      batch.segmentSizes[i] = this.#batch.segmentSizes[i]!;
    }
    return count;
  }

  /** Resolves when the underlying link or a delayed packet is ready. */
  ready(): Promise<boolean> {
    if (!this.#impairsIncoming) return this.#link.ready();
    return this.#wait.ready(!this.#arrived.isEmpty);
  }

  /** Returns true for a lost packet too, since a sender does not notice the loss. */
  send(packet: OutgoingPacket): boolean {
    if (this.#segmenter === undefined) {
      return this.#outgoing.send(packet, packet.checksumPartial ? "partial" : "full");
    }
    if (!this.#outgoing.isActive) return this.#link.send(packet);
    let isSent = true;
    for (const segment of this.#segmenter.split(packet)) {
      isSent = this.#outgoing.send(segment, "full") && isSent;
    }
    return isSent;
  }

  /** Drops the delayed packets and closes the underlying link. */
  close(): Promise<void> {
    this.#outgoing.close();
    this.#incoming.close();
    this.#arrived.close();
    this.#wait.wake(false);
    return this.#link.close();
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #impairReceived(index: number): void {
    const packet = this.#received;
    packet.payload = this.#batch.packets[index]!;
    packet.payloadLength = this.#batch.sizes[index]!;
    packet.segmentSize = this.#batch.segmentSizes[index]!;
    const checksum = this.#batch.checksums[index]!;
    if (this.#segmenter === undefined || !this.#incoming.isActive) {
      this.#incoming.send(packet, checksum);
      return;
    }
    packet.checksumPartial = checksum === "partial";
    const isSplit = packet.segmentSize > 0 || packet.checksumPartial;
    for (const segment of this.#segmenter.split(packet)) {
      this.#incoming.send(segment, isSplit ? "full" : checksum);
    }
  }

  #arrive(packet: OutgoingPacket, checksum: ChecksumState): boolean {
    const hasRoom = this.#arrived.put(packet, checksum);
    this.#wait.wake();
    return hasRoom;
  }
}
