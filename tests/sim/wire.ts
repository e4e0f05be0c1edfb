import type { SeededRandom } from "../../adapters/runtime/seeded_random.ts";
import { OutgoingPacket } from "../../core/buffers/outgoing_packet.ts";
import type { ChecksumState, LinkFeatures } from "../../core/stack/link.ts";
import { fits, type Narrowing, packetTooBig } from "./router.ts";
import { cutSuperPacket } from "./super_packet.ts";

/** What happens to packets on their way. Shares are from 0 to 1, times in milliseconds. */
export interface Conditions {
  readonly loss: number;
  /** These get lost, counted from 0 in this direction. */
  readonly lostPackets: readonly number[];
  /** Share of packets at which a burst of losses begins, and how long it is at most. */
  readonly burst: number;
  readonly burstMs: number;
  /** How many packets it takes in that time at most, however fast they come; 0: all of them. */
  readonly burstPackets: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly reorderMs: number;
  /** Share of packets that a router marks instead of dropping them, where ECN allows (RFC 3168 5). */
  readonly mark: number;
  /** Share of packets in which one bit is changed. */
  readonly corrupt: number;
  readonly delayMs: number;
  /** Added to the delay, at random; the order stays. */
  readonly jitterMs: number;
  /** 0: as fast as you like. */
  readonly bytesPerMs: number;
  /** What waits for a limited bandwidth, in bytes; the rest is dropped. */
  readonly queueBytes: number;
  /** Nothing waits: a token bucket of `queueBytes` lets through what `bytesPerMs` fill into it. */
  readonly polices: boolean;
  /** Packets arrive together, every so many milliseconds; 0: each at its time. */
  readonly batchMs: number;
  /** Nothing comes through from the one time to the other. */
  readonly deadFrom: number;
  readonly deadUntil: number;
  /** Where large packets stop, if they do. */
  readonly narrow: Narrowing | undefined;
}

/** A wire on which nothing happens. */
export const PERFECT: Conditions = {
  loss: 0,
  lostPackets: [],
  burst: 0,
  burstMs: 0,
  burstPackets: 0,
  duplicate: 0,
  reorder: 0,
  reorderMs: 0,
  mark: 0,
  corrupt: 0,
  delayMs: 1,
  jitterMs: 0,
  bytesPerMs: 0,
  queueBytes: 1 << 20,
  polices: false,
  batchMs: 0,
  deadFrom: Infinity,
  deadUntil: Infinity,
  narrow: undefined,
};

/** A packet on its way. */
export interface WirePacket {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly checksum: ChecksumState;
  readonly segmentSize: number;
}

/** What becomes of a packet: it arrives at `at`. */
export type Deliver = (at: number, packet: WirePacket) => void;

/** One direction. */
export class Wire {
  conditions: Conditions;
  /** Packets and bytes that were given to it. */
  packets = 0;
  bytes = 0;
  readonly #features: LinkFeatures;
  readonly #random: SeededRandom;
  readonly #deliver: Deliver;
  readonly #tellSender: Deliver | undefined;
  #burstUntil = 0;
  #burstLeft = 0;
  #lastArrival = 0;
  /** When the bandwidth is free again. */
  #freeAt = 0;

  /** `tellSender` takes what a router on the way has to say. */
  constructor(
    conditions: Conditions,
    features: LinkFeatures,
    random: SeededRandom,
    deliver: Deliver,
    tellSender?: Deliver,
  ) {
    this.conditions = conditions;
    this.#features = features;
    this.#random = random;
    this.#deliver = deliver;
    this.#tellSender = tellSender;
  }

  send(packet: OutgoingPacket, now: number): void {
    const bytes = new Uint8Array(packet.byteLength);
    packet.copyTo(bytes, 0);
    this.packets++;
    this.bytes += bytes.length;
    const { segmentSize } = packet;
    if (segmentSize > 0 && this.#chance(0.5)) {
      for (const piece of cutSuperPacket(bytes, segmentSize)) this.#carry(piece, 0, true, now);
    } else {
      this.#carry(bytes, segmentSize, packet.checksumPartial, now);
    }
  }

  #carry(bytes: Uint8Array<ArrayBuffer>, segmentSize: number, partial: boolean, now: number): void {
    const { duplicate, reorder, reorderMs, delayMs, jitterMs, batchMs } = this.conditions;
    if (this.#isLost(now)) return;
    if (!this.#passesRouter(bytes, segmentSize, now)) return;
    const sentAt = this.#transmit(bytes.length, now);
    if (sentAt === undefined) return;
    let at = sentAt + delayMs + (jitterMs > 0 ? this.#random.fraction() * jitterMs : 0);
    if (this.#chance(reorder)) at += this.#random.fraction() * reorderMs;
    else at = this.#lastArrival = Math.max(at, this.#lastArrival);
    if (batchMs > 0) at = Math.ceil(at / batchMs) * batchMs;
    if (this.#chance(this.conditions.mark)) markCongestion(bytes);
    const packet = { bytes, segmentSize, checksum: this.#checksum(partial) };
    if (this.#chance(duplicate)) {
      const again = { ...packet, bytes: bytes.slice() };
      this.#deliver(at + this.#random.fraction() * reorderMs, again);
    }
    if (packet.checksum === "full" && this.#chance(this.conditions.corrupt)) this.#flip(bytes);
    this.#deliver(at, packet);
  }

  #checksum(partial: boolean): ChecksumState {
    if (partial) return "partial";
    return this.#features.checksumOffload ? "verified" : "full";
  }

  #isLost(now: number): boolean {
    const { loss, lostPackets, burst, burstMs, burstPackets, deadFrom, deadUntil } =
      this.conditions;
    if (lostPackets.includes(this.packets - 1)) return true;
    if (now >= deadFrom && now < deadUntil) return true;
    if (now < this.#burstUntil && this.#burstLeft-- > 0) return true;
    if (this.#chance(burst)) {
      const fraction = this.#random.fraction();
      this.#burstUntil = now + fraction * burstMs;
      this.#burstLeft = burstPackets > 0 ? Math.floor(fraction * burstPackets) : Infinity;
      return true;
    }
    return this.#chance(loss);
  }

  /** The router is the first hop; its messages get lost like anything else. */
  #passesRouter(bytes: Uint8Array, segmentSize: number, now: number): boolean {
    const { narrow, delayMs, loss } = this.conditions;
    if (narrow === undefined || fits(narrow, bytes, segmentSize, now)) return true;
    const message = packetTooBig(narrow, bytes);
    if (message !== undefined && !this.#chance(loss)) {
      this.#tellSender?.(now + delayMs, { bytes: message, checksum: "full", segmentSize: 0 });
    }
    return false;
  }

  /** When the last bit is on the wire; `undefined`: the queue in front of it is full. */
  #transmit(length: number, now: number): number | undefined {
    const { bytesPerMs, queueBytes, polices } = this.conditions;
    if (bytesPerMs === 0) return now;
    const begins = Math.max(now, this.#freeAt);
    // What waits in a queue has been taken out of a bucket.
    if ((begins - now) * bytesPerMs + (polices ? length : 0) > queueBytes) return undefined;
    this.#freeAt = begins + length / bytesPerMs;
    return polices ? now : this.#freeAt;
  }

  /** IPv6 has no checksum of its header: what protects that is the link's own. */
  #flip(bytes: Uint8Array): void {
    const first = bytes[0]! >>> 4 === 6 ? 40 : 0;
    const at = first + Math.floor(this.#random.fraction() * (bytes.length - first));
    bytes[at]! ^= 1 << (this.#random.uint32() & 7);
  }

  #chance(share: number): boolean {
    return share > 0 && this.#random.fraction() < share;
  }
}

/** Sets CE where the packet says ECT (RFC 3168 5); IPv4 has a checksum over it. */
function markCongestion(bytes: Uint8Array): void {
  const isV4 = bytes[0]! >>> 4 === 4;
  const [at, shift] = isV4 ? [1, 0] : [1, 4];
  const ecn = (bytes[at]! >>> shift) & 3;
  if (ecn === 0 || ecn === 3) return;
  bytes[at]! |= 3 << shift;
  if (!isV4) return;
  // RFC 1624 3, eqn. 3: the word has grown by what CE is above what was there.
  const sum = (bytes[10]! << 8) + bytes[11]! - (3 - ecn);
  const folded = sum < 0 ? sum + 0xffff : sum;
  bytes[10] = folded >>> 8;
  bytes[11] = folded;
}
