import type { Clock } from "../../../../core/api/environment.ts";
import type { ChecksumState, OutgoingPacket } from "../../../../core/stack/link.ts";
import { type SeededRandom, seededRandom } from "../../../runtime/seeded_random.ts";
import { HeldPacket } from "../held_packet.ts";
import { DelayLine } from "./delay_line.ts";
import { type Impairments, NO_IMPAIRMENT } from "./impairments.ts";

/** Counters of one direction. */
export interface ImpairedCounts {
  /** Packets lost. */
  lost: number;
  /** Packets duplicated. */
  duplicated: number;
  /** Packets reordered. */
  reordered: number;
  /** Packets corrupted. */
  corrupted: number;
  /** Packets dropped because a queue was full, here or in the underlying link. */
  dropped: number;
}

/** Options of {@link ImpairedPath}. */
export interface PathOptions {
  readonly clock: Clock;
  readonly seed: number;
  /** Maximum number of delayed packets. */
  readonly queue: number;
  /** Delivers a packet that is due; returns false if it was dropped. Must not keep the packet. */
  deliver(packet: OutgoingPacket, checksum: ChecksumState): boolean;
}

/** The impairments drawn for one packet. */
interface Outcome {
  readonly isLost: boolean;
  readonly isDoubled: boolean;
  readonly isLate: boolean;
  /** Index of the flipped bit; -1 if there is none. */
  readonly changedBit: number;
  readonly delay: number;
}

/** Added to the seed of the generator for bursts; users' seeds rarely have this bit set. */
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
  #hasImpairment = false;
  #isInBurst = false;
  /** When the bottleneck will have sent its last packet. */
  #busyUntil = -Infinity;
  /** Arrival time of the last packet that is not reordered. */
  #lastArrival = -Infinity;

  constructor({ clock, seed, queue, deliver }: PathOptions) {
    this.#clock = clock;
    this.#queue = queue;
    this.#deliver = deliver;
    this.#random = seededRandom(seed);
    this.#burstRandom = seededRandom(seed + BURST_SEED);
    this.#line = new DelayLine(clock, (held) => this.#release(held));
  }

  /** Changes impairments; the caller has validated `changes`. */
  set(changes: Impairments): void {
    const impairments = this.#impairments = { ...this.#impairments, ...changes };
    const names = Object.keys(NO_IMPAIRMENT) as (keyof Impairments)[];
    this.#hasImpairment = names.some((name) => impairments[name] !== NO_IMPAIRMENT[name]);
  }

  /**
   * Whether packets have to pass through here, because there are impairments, or delayed packets that they would
   * overtake.
   */
  get isActive(): boolean {
    return this.#hasImpairment || this.#line.count > 0;
  }

  /** Returns true for a lost packet too, since a sender does not notice the loss. */
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

  /** Drops the delayed packets. */
  close(): void {
    this.#line.clear();
  }

  /**
   * Draws the same number of random values for every packet, so that changing one share does not
   * affect the others.
   */
  #draw({ byteLength }: OutgoingPacket): Outcome {
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

  /** Gilbert-Elliott channel: two states, each with its own loss rate. */
  #drawBurst(): boolean {
    const { burstBegin, burstEnd, burstLoss } = this.#impairments;
    const [change, loss] = [this.#burstRandom.fraction(), this.#burstRandom.fraction()];
    this.#isInBurst = this.#isInBurst ? change >= burstEnd : change < burstBegin;
    return this.#isInBurst && loss < burstLoss;
  }

  #sendOnce(
    packet: OutgoingPacket,
    checksum: ChecksumState,
    { isLate, delay }: Outcome,
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

  /** When the bottleneck has sent the packet; `undefined` if its queue is full. */
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
