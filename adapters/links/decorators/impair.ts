import type { Clock } from "../../../core/api/environment.ts";
import {
  type ChecksumState,
  type Link,
  type LinkFeatures,
  OutgoingPacket,
  PacketBatch,
} from "../../../core/stack/link.ts";
import type { ShardPacket } from "../../../core/stack/sharding/shard.ts";
import { requireInteger } from "../integer_option.ts";
import { PacketQueue } from "../packet_queue.ts";
import { checkImpairments, type Impairments } from "./impair/impairments.ts";
import { type ImpairedCounts, ImpairedPath } from "./impair/path.ts";

export type { Impairments } from "./impair/impairments.ts";
export type { ImpairedCounts } from "./impair/path.ts";

/** {@link Impairments} of packets that are sent, and of those that are received. */
export interface LinkImpairments extends Impairments {
  /** What happens to packets that are received. Default nothing. */
  incoming?: Impairments;
}

/** What {@link impair} takes. */
export interface ImpairOptions extends LinkImpairments {
  /** The same seed, clock and packets give the same fate. */
  seed: number;
  /** Tells the time by which packets are delayed. */
  clock: Clock;
  /** Packets held back in one direction, at most; further ones are dropped. Default 1024. */
  queue?: number;
}

/**
 * Makes a link worse: delay, loss, reordering, corruption, bandwidth, as netem does for a device.
 *
 * Packets that are sent are impaired, and with `incoming` those that are received as well. It
 * offers neither super-packets nor checksum offload: each fate is one wire segment's, and a changed
 * bit is one that a checksum can find. A super-packet that the link behind receives shares one fate;
 * a TUN device opened with `offload: false` receives none.
 *
 * @throws {RangeError} A share is not between 0 and 1, a time not between 0 and an hour, or
 * `bitsPerSecond` is below 1.
 *
 * @example
 * ```ts
 * import { createStack, echo, impair, linkPair, systemClock } from "@berth/berth";
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

/** Seeds of the two directions differ in bits that a user's seed seldom has. */
const INCOMING_SEED = 2 ** 40;
const BATCH = 64;
/** A total length has 16 bits (RFC 791 3.1). */
const MAX_PACKET = 65_535;

/** A link made worse by {@link impair}. */
export class ImpairedLink implements Link {
  /** The name of the link behind. */
  readonly name: string;
  /** The MTU of the link behind, and no offload; whether it leaves the host. */
  readonly features: LinkFeatures;
  /** What the link behind has. */
  readonly forwardToShard?: (foreign: ShardPacket) => boolean;
  readonly #link: Link;
  readonly #outgoing: ImpairedPath;
  readonly #incoming: ImpairedPath;
  /** Received packets whose time has come. */
  readonly #arrived: PacketQueue;
  /** Once something was said of received packets they take the long way, to keep their order. */
  #impairsIncoming = false;
  readonly #batch = new PacketBatch(BATCH);
  readonly #received = new OutgoingPacket();
  #waiting: PromiseWithResolvers<boolean> | undefined;
  #isWaitingForLink = false;

  /** For {@link impair}. */
  constructor(link: Link, { seed, clock, queue = 1024, ...impairments }: ImpairOptions) {
    const { mtu, insideHost, shard } = link.features;
    this.name = link.name;
    this.features = {
      mtu,
      maxSuperPacket: 0,
      checksumOffload: false,
      ...(insideHost && { insideHost }),
      ...(shard && { shard }),
    };
    if (link.forwardToShard) this.forwardToShard = (foreign) => link.forwardToShard!(foreign);
    this.#link = link;
    requireInteger("seed", seed, 0, Number.MAX_SAFE_INTEGER);
    requireInteger("queue", queue, 1, 1_000_000);
    this.#outgoing = new ImpairedPath({ clock, seed, queue, deliver: (it) => link.send(it) });
    // What a kernel's device hands over can be a super-packet, whatever is offered here.
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

  /** What has happened so far to packets that were sent. */
  get counts(): Readonly<ImpairedCounts> {
    return this.#outgoing.counts;
  }

  /** What has happened so far to packets that were received. */
  get incomingCounts(): Readonly<ImpairedCounts> {
    return this.#incoming.counts;
  }

  /**
   * Changes what happens to packets from now on; what is not named stays. Packets that are on their
   * way keep their fate.
   *
   * @throws {RangeError} A share is not between 0 and 1, a time not between 0 and an hour, or
   * `bitsPerSecond` is below 1.
   */
  set({ incoming, ...outgoing }: LinkImpairments): void {
    checkImpairments(outgoing);
    if (incoming) checkImpairments(incoming, "incoming.");
    this.#outgoing.set(outgoing);
    if (incoming === undefined) return;
    this.#impairsIncoming = true;
    this.#incoming.set(incoming);
  }

  /** What the link behind has counted, and both directions under `impair.`. */
  stats(): Readonly<Record<string, number>> {
    const counted: Record<string, number> = { ...this.#link.stats?.() };
    for (const [what, count] of Object.entries(this.counts)) counted[`impair.${what}`] = count;
    for (const [what, count] of Object.entries(this.incomingCounts)) {
      counted[`impair.incoming.${what}`] = count;
    }
    return counted;
  }

  /** What has arrived by now. */
  receive(batch: PacketBatch): number {
    if (!this.#impairsIncoming) return this.#link.receive(batch);
    const count = this.#link.receive(this.#batch);
    for (let i = 0; i < count; i++) this.#impairReceived(i);
    return this.#arrived.takeInto(batch);
  }

  /** As the link behind, and when a packet arrives that was held back. */
  ready(): Promise<boolean> {
    if (!this.#impairsIncoming) return this.#link.ready();
    if (!this.#arrived.isEmpty) return Promise.resolve(true);
    this.#waiting ??= Promise.withResolvers();
    const { promise } = this.#waiting;
    this.#waitForLink();
    return promise;
  }

  /** True also for a packet that gets lost: whoever sends cannot know. */
  send(packet: OutgoingPacket): boolean {
    return this.#outgoing.send(packet, packet.checksumPartial ? "partial" : "full");
  }

  /** Drops what is held back and closes the link behind. */
  close(): Promise<void> {
    this.#outgoing.close();
    this.#incoming.close();
    this.#arrived.close();
    this.#wake(false);
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
    this.#incoming.send(packet, this.#batch.checksums[index]!);
  }

  #arrive(packet: OutgoingPacket, checksum: ChecksumState): boolean {
    const hasRoom = this.#arrived.put(packet, checksum);
    this.#wake(true);
    return hasRoom;
  }

  #wake(isOpen: boolean): void {
    this.#waiting?.resolve(isOpen);
    this.#waiting = undefined;
  }

  /** One wait at a time, which may outlive the `ready()` that began it. */
  #waitForLink(): void {
    if (this.#isWaitingForLink) return;
    this.#isWaitingForLink = true;
    this.#link.ready().then((isOpen) => {
      this.#isWaitingForLink = false;
      this.#wake(isOpen);
    }, (error: unknown) => {
      this.#isWaitingForLink = false;
      this.#waiting?.reject(error);
      this.#waiting = undefined;
    });
  }
}
