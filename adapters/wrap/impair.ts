import type { Clock } from "../../core/api/environment.ts";
import type { Link, LinkFeatures, OutgoingPacket, PacketBatch } from "../../core/stack/link.ts";
import { type SeededRandom, seededRandom } from "../seeded_random.ts";
import { HeldPacket } from "./held_packet.ts";

/** What happens to packets on their way out. Shares are from 0 to 1, times in milliseconds. */
export interface Impairments {
  /** Share of packets that get lost. Default 0. */
  loss?: number;
  /** Share of packets that arrive twice. Default 0. */
  duplicate?: number;
  /** Share of packets that arrive `reorderMs` late, behind later ones. Default 0. */
  reorder?: number;
  /** Share of packets that arrive with one bit changed. Default 0. */
  corrupt?: number;
  /** How long each packet takes. Default 0: it arrives at once. */
  delayMs?: number;
  /** Added to `delayMs`: a random time up to this; the order stays. Default 0. */
  jitterMs?: number;
  /** How late a reordered packet is. Default 1. */
  reorderMs?: number;
}

/** What {@link impair} takes. */
export interface ImpairOptions extends Impairments {
  /** The same seed, clock and packets give the same fate. */
  seed: number;
  /** Tells the time by which packets are delayed. */
  clock: Clock;
  /** Packets held back, at most; further ones are dropped. Default 1024. */
  queue?: number;
}

/** What has happened to the packets so far. */
export interface ImpairedCounts {
  /** Packets that got lost. */
  lost: number;
  /** Packets that were sent twice. */
  duplicated: number;
  /** Packets that were held back behind later ones. */
  reordered: number;
  /** Packets that had a bit changed. */
  corrupted: number;
  /** Packets that found no room, here or behind this link. */
  dropped: number;
}

/**
 * Makes a link worse, in the direction in which it sends; for both directions both ends are
 * wrapped. It offers neither super-packets nor checksum offload: each fate is one wire segment's,
 * and a changed bit is one that a checksum can find.
 *
 * @throws {RangeError} A share is not between 0 and 1, or a time is negative.
 *
 * @example
 * ```ts
 * import { impair, linkPair, systemClock } from "@berth/berth";
 *
 * const [left, right] = linkPair();
 * await using lossy = impair(left, { seed: 1, clock: systemClock, loss: 0.05, delayMs: 20 });
 * lossy.set({ loss: 0 });
 * await right.close();
 * ```
 */
export function impair(link: Link, options: ImpairOptions): ImpairedLink {
  return new ImpairedLink(link, options);
}

/** A link made worse by {@link impair}. */
export class ImpairedLink implements Link {
  /** The name of the link behind. */
  readonly name: string;
  /** The MTU of the link behind, and no offload. */
  readonly features: LinkFeatures;
  /** What has happened so far. */
  readonly counts: ImpairedCounts = {
    lost: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    dropped: 0,
  };
  readonly #link: Link;
  readonly #clock: Clock;
  readonly #random: SeededRandom;
  readonly #queue: number;
  readonly #spare: HeldPacket[] = [];
  readonly #cancels = new Set<() => void>();
  #impairments: Required<Impairments> = {
    loss: 0,
    duplicate: 0,
    reorder: 0,
    corrupt: 0,
    delayMs: 0,
    jitterMs: 0,
    reorderMs: 1,
  };
  /** When the last packet that keeps its place arrives. */
  #lastArrival = -Infinity;

  /** For {@link impair}. */
  constructor(link: Link, { seed, clock, queue = 1024, ...impairments }: ImpairOptions) {
    this.name = link.name;
    this.features = { mtu: link.features.mtu, maxSuperPacket: 0, checksumOffload: false };
    this.#link = link;
    this.#clock = clock;
    this.#random = seededRandom(seed);
    this.#queue = queue;
    this.set(impairments);
  }

  /**
   * Changes what happens to packets from now on; what is not named stays.
   *
   * @throws {RangeError} A share is not between 0 and 1, or a time is negative.
   */
  set(changes: Impairments): void {
    for (const [name, value] of Object.entries(changes)) {
      const most = name.endsWith("Ms") ? Infinity : 1;
      if (value >= 0 && value <= most) continue;
      throw new RangeError(`${name} must be from 0 to ${most}, not ${value}`);
    }
    this.#impairments = { ...this.#impairments, ...changes };
  }

  /** Receives unimpaired. */
  receive(batch: PacketBatch): number {
    return this.#link.receive(batch);
  }

  /** As the link behind. */
  ready(): Promise<boolean> {
    return this.#link.ready();
  }

  /** True also for a packet that gets lost: whoever sends cannot know. */
  send(packet: OutgoingPacket): boolean {
    const { loss, duplicate, reorder, corrupt, delayMs, jitterMs, reorderMs } = this.#impairments;
    // The same number of draws for every packet: one share's change leaves other fates as they were.
    const draw = () => this.#random.fraction();
    const [isLost, isDoubled, isLate, isChanged] = [
      draw() < loss,
      draw() < duplicate,
      draw() < reorder,
      draw() < corrupt,
    ];
    const [delay, bit] = [delayMs + draw() * jitterMs, Math.floor(draw() * packet.byteLength * 8)];
    if (isLost) {
      this.counts.lost++;
      return true;
    }
    if (isDoubled) this.counts.duplicated++;
    if (isLate) this.counts.reordered++;
    if (isChanged) this.counts.corrupted++;
    const at = isLate ? this.#clock.now() + delay + reorderMs : this.#inOrder(delay);
    const sent = this.#sendAt(at, packet, isChanged ? bit : -1);
    if (isDoubled) this.#sendAt(at, packet, -1);
    return sent;
  }

  /** Drops what is held back and closes the link behind. */
  close(): Promise<void> {
    for (const cancel of this.#cancels) cancel();
    this.#cancels.clear();
    return this.#link.close();
  }

  /** The same as {@link close}. */
  [Symbol.asyncDispose](): Promise<void> {
    return this.close();
  }

  #inOrder(delay: number): number {
    this.#lastArrival = Math.max(this.#lastArrival, this.#clock.now() + delay);
    return this.#lastArrival;
  }

  /** Sends a packet at a time, with one bit changed unless that is -1. */
  #sendAt(at: number, packet: OutgoingPacket, changedBit: number): boolean {
    if (at <= this.#clock.now() && changedBit < 0) return this.#pass(packet);
    if (this.#cancels.size >= this.#queue) {
      this.counts.dropped++;
      return false;
    }
    const held = this.#spare.pop() ?? new HeldPacket(this.features.mtu);
    held.hold(packet);
    if (changedBit >= 0) held.flip(changedBit);
    if (at <= this.#clock.now()) return this.#release(held);
    const cancel = this.#clock.schedule(at, () => {
      this.#cancels.delete(cancel);
      this.#release(held);
    });
    this.#cancels.add(cancel);
    return true;
  }

  #release(held: HeldPacket): boolean {
    const sent = this.#pass(held);
    this.#spare.push(held);
    return sent;
  }

  #pass(packet: OutgoingPacket): boolean {
    const sent = this.#link.send(packet);
    if (!sent) this.counts.dropped++;
    return sent;
  }
}
