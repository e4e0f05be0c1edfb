import type { SeededRandom } from "../../adapters/runtime/seeded_random.ts";
import { OutgoingPacket } from "../../core/buffers/outgoing_packet.ts";
import type { ChecksumState, LinkFeatures } from "../../core/stack/link.ts";
import { fits, type Narrowing, packetTooBig } from "./router.ts";
import { cutSuperPacket } from "./super_packet.ts";

/** Conditions of one direction. Shares are from 0 to 1, times in milliseconds. */
export interface Conditions {
  readonly loss: number;
  /** Numbers of packets that are lost, counted from 0 in this direction. */
  readonly lostPackets: readonly number[];
  /** Share of packets at which a burst of losses begins, and its maximum length. */
  readonly burst: number;
  readonly burstMs: number;
  /** Maximum number of packets lost in a burst; 0 for no maximum. */
  readonly burstPackets: number;
  readonly duplicate: number;
  readonly reorder: number;
  readonly reorderMs: number;
  /** Share of packets that a router marks instead of dropping them, where ECN allows (RFC 3168 5). */
  readonly mark: number;
  /** Share of packets in which one bit is flipped. */
  readonly corrupt: number;
  readonly delayMs: number;
  /** Maximum random addition to the delay, without reordering. */
  readonly jitterMs: number;
  /** Bandwidth; 0 for no limit. */
  readonly bytesPerMs: number;
  /** Size of the queue for the limited bandwidth, in bytes; the rest is dropped. */
  readonly queueBytes: number;
  /** Policer instead of a queue: a token bucket of `queueBytes`, filled at `bytesPerMs`. */
  readonly polices: boolean;
  /** Packets arrive in batches at this interval in milliseconds; 0 for no batches. */
  readonly batchMs: number;
  /** The path is down between these times. */
  readonly deadFrom: number;
  readonly deadUntil: number;
  /** A router with a smaller MTU, if any. */
  readonly narrow: Narrowing | undefined;
}

/** Conditions of a perfect wire. */
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

/** A packet in transit. */
export interface WirePacket {
  readonly bytes: Uint8Array<ArrayBuffer>;
  readonly checksum: ChecksumState;
  readonly segmentSize: number;
}

/** Delivers a packet at `at`. */
export type Deliver = (at: number, packet: WirePacket) => void;

/** One direction. */
export class Wire {
  conditions: Conditions;
  /** Number of packets and bytes sent. */
  packets = 0;
  bytes = 0;
  readonly #features: LinkFeatures;
  readonly #random: SeededRandom;
  readonly #deliver: Deliver;
  readonly #tellSender: Deliver | undefined;
  #burstUntil = 0;
  #burstLeft = 0;
  #lastArrival = 0;
  /** When the bottleneck is free again. */
  #freeAt = 0;

  /** `tellSender` delivers ICMP errors of a router on the path. */
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

  /** The router is the first hop; its messages can be lost like other packets. */
  #passesRouter(bytes: Uint8Array, segmentSize: number, now: number): boolean {
    const { narrow, delayMs, loss } = this.conditions;
    if (narrow === undefined || fits(narrow, bytes, segmentSize, now)) return true;
    const message = packetTooBig(narrow, bytes);
    if (message !== undefined && !this.#chance(loss)) {
      this.#tellSender?.(now + delayMs, { bytes: message, checksum: "full", segmentSize: 0 });
    }
    return false;
  }

  /** When the last bit is sent; `undefined` if the queue is full. */
  #transmit(length: number, now: number): number | undefined {
    const { bytesPerMs, queueBytes, polices } = this.conditions;
    if (bytesPerMs === 0) return now;
    const begins = Math.max(now, this.#freeAt);
    // With a policer, the level of the token bucket is that of the queue.
    if ((begins - now) * bytesPerMs + (polices ? length : 0) > queueBytes) return undefined;
    this.#freeAt = begins + length / bytesPerMs;
    return polices ? now : this.#freeAt;
  }

  /** IPv6 has no header checksum; the link protects the header. */
  #flip(bytes: Uint8Array): void {
    const first = bytes[0]! >>> 4 === 6 ? 40 : 0;
    const at = first + Math.floor(this.#random.fraction() * (bytes.length - first));
    bytes[at]! ^= 1 << (this.#random.uint32() & 7);
  }

  #chance(share: number): boolean {
    return share > 0 && this.#random.fraction() < share;
  }
}

/** Sets CE if the packet has ECT (RFC 3168 5), and updates the IPv4 header checksum. */
function markCongestion(bytes: Uint8Array): void {
  const isV4 = bytes[0]! >>> 4 === 4;
  const [at, shift] = isV4 ? [1, 0] : [1, 4];
  const ecn = (bytes[at]! >>> shift) & 3;
  if (ecn === 0 || ecn === 3) return;
  bytes[at]! |= 3 << shift;
  if (!isV4) return;
  // RFC 1624 3, eqn. 3: the word has increased by the difference between CE and the old codepoint.
  const sum = (bytes[10]! << 8) + bytes[11]! - (3 - ecn);
  const folded = sum < 0 ? sum + 0xffff : sum;
  bytes[10] = folded >>> 8;
  bytes[11] = folded;
}
