import type { Clock } from "../../../../core/api/environment.ts";
import type { ChecksumState, OutgoingPacket } from "../../../../core/stack/link.ts";
import { type SeededRandom, seededRandom } from "../../../runtime/seeded_random.ts";
import { HeldPacket } from "../held_packet.ts";
import { DelayLine } from "./delay_line.ts";
import { type Impairments, NO_IMPAIRMENT } from "./impairments.ts";

/** What has happened to the packets of one direction so far. */
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

/** What a path is made of. */
export interface PathOptions {
  readonly clock: Clock;
  readonly seed: number;
  /** Packets held back, at most. */
  readonly queue: number;
  /** Where packets go when their time has come; false: no room there. Keeps nothing of a packet. */
  deliver(packet: OutgoingPacket, checksum: ChecksumState): boolean;
}

/** What becomes of one packet. */
interface Fate {
  readonly isLost: boolean;
  readonly isDoubled: boolean;
  readonly isLate: boolean;
  /** -1: none. */
  readonly changedBit: number;
  readonly delay: number;
}

/** Seeds of one path's two generators differ in bits that a user's seed seldom has. */
const BURST_SEED = 2 ** 48;

/** One direction of an impaired link. */
export class ImpairedPath {
  readonly counts: ImpairedCounts = {
    lost: 0,
    duplicated: 0,
    reordered: 0,
    corrupted: 0,
    dropped: 0,
  };
  readonly #clock: Clock;
  readonly #queue: number;
  readonly #deliver: PathOptions["deliver"];
  readonly #random: SeededRandom;
  readonly #burstRandom: SeededRandom;
  readonly #spare: HeldPacket[] = [];
  readonly #line: DelayLine<HeldPacket>;
  #impairments = NO_IMPAIRMENT;
  #isInBurst = false;
  /** When the last packet has passed the narrowest place. */
  #busyUntil = -Infinity;
  /** When the last packet that keeps its place arrives. */
  #lastArrival = -Infinity;

  constructor({ clock, seed, queue, deliver }: PathOptions) {
    this.#clock = clock;
    this.#queue = queue;
    this.#deliver = deliver;
    this.#random = seededRandom(seed);
    this.#burstRandom = seededRandom(seed + BURST_SEED);
    this.#line = new DelayLine(clock, (held) => this.#release(held));
  }

  /** Changes what happens from now on; `changes` are checked. */
  set(changes: Impairments): void {
    this.#impairments = { ...this.#impairments, ...changes };
  }

  /** True also for a packet that gets lost: whoever sends cannot know. */
  send(packet: OutgoingPacket, checksum: ChecksumState): boolean {
    const fate = this.#draw(packet);
    if (fate.isLost) {
      this.counts.lost++;
      return true;
    }
    if (fate.isDoubled) this.counts.duplicated++;
    if (fate.isLate) this.counts.reordered++;
    if (fate.changedBit >= 0) this.counts.corrupted++;
    const sent = this.#sendOnce(packet, checksum, fate, fate.changedBit);
    if (fate.isDoubled) this.#sendOnce(packet, checksum, fate, -1);
    return sent;
  }

  /** Drops what is held back. */
  close(): void {
    this.#line.clear();
  }

  /** The same number of draws for every packet: one share's change leaves other fates as they were. */
  #draw({ byteLength }: OutgoingPacket): Fate {
    const { loss, duplicate, reorder, corrupt, delayMs, jitterMs } = this.#impairments;
    const draw = () => this.#random.fraction();
    const [isLost, isDoubled] = [draw() < loss, draw() < duplicate];
    const [isLate, isChanged] = [draw() < reorder, draw() < corrupt];
    const delay = delayMs + draw() * jitterMs;
    const bit = Math.floor(draw() * byteLength * 8);
    const isLostInBurst = this.#drawBurst();
    return {
      isLost: isLost || isLostInBurst,
      isDoubled,
      isLate,
      changedBit: isChanged ? bit : -1,
      delay,
    };
  }

  /** E. N. Gilbert's and E. O. Elliott's channel: two states, each with losses of its own. */
  #drawBurst(): boolean {
    const { burstBegin, burstEnd, burstLoss } = this.#impairments;
    const [change, loss] = [this.#burstRandom.fraction(), this.#burstRandom.fraction()];
    this.#isInBurst = this.#isInBurst ? change >= burstEnd : change < burstBegin;
    return this.#isInBurst && loss < burstLoss;
  }

  #sendOnce(
    packet: OutgoingPacket,
    checksum: ChecksumState,
    { isLate, delay }: Fate,
    changedBit: number,
  ): boolean {
    const departure = this.#departure(packet.byteLength);
    if (departure === undefined) return this.#drop();
    const at = isLate
      ? departure + delay + this.#impairments.reorderMs
      : this.#inOrder(departure + delay);
    const isDue = at <= this.#clock.now();
    if (isDue && changedBit < 0) return this.#pass(packet, checksum);
    if (this.#line.count >= this.#queue) return this.#drop();
    const held = this.#spare.pop() ?? new HeldPacket();
    held.hold(packet, checksum);
    if (changedBit >= 0) held.flip(changedBit);
    if (isDue) return this.#release(held);
    this.#line.hold(held, at);
    return true;
  }

  /** When the packet has passed the narrowest place; `undefined` when its queue is full. */
  #departure(bytes: number): number | undefined {
    const { bitsPerSecond, queueBytes } = this.#impairments;
    const now = this.#clock.now();
    const waitMs = Math.max(0, this.#busyUntil - now);
    if (bitsPerSecond === Infinity) return now + waitMs;
    const waiting = waitMs * bitsPerSecond / 8000;
    if (waiting > 0 && waiting + bytes > queueBytes) return undefined;
    this.#busyUntil = now + waitMs + bytes * 8000 / bitsPerSecond;
    return this.#busyUntil;
  }

  #inOrder(at: number): number {
    this.#lastArrival = Math.max(this.#lastArrival, at);
    return this.#lastArrival;
  }

  #release(held: HeldPacket): boolean {
    const sent = this.#pass(held, held.checksum);
    this.#spare.push(held);
    return sent;
  }

  #pass(packet: OutgoingPacket, checksum: ChecksumState): boolean {
    return this.#deliver(packet, checksum) || this.#drop();
  }

  #drop(): false {
    this.counts.dropped++;
    return false;
  }
}
