import type { ChecksumState } from "../../core/stack/link.ts";
import { Tcb } from "../../core/tcp/tcb.ts";
import { IpAddress } from "../../core/wire/address.ts";
import { ipHeaderLength } from "../../core/wire/ip.ts";
import { Dice } from "./dice.ts";
import { PacketWriter } from "./packet_writer.ts";
import { drawGood, drawNearby, drawSyn } from "./segments.ts";

/** The stack's own addresses. */
export const OWN: { readonly 4: IpAddress; readonly 6: IpAddress } = {
  4: IpAddress.parse("10.0.0.2")!,
  6: IpAddress.parse("fd00::2")!,
};
const PEERS = {
  4: ["10.0.0.1", "10.0.0.9", "192.0.2.77"].map((text) => IpAddress.parse(text)!),
  6: ["fd00::1", "2001:db8::9"].map((text) => IpAddress.parse(text)!),
};
/** 80: open; 81: decides about each SYN; 82: closed. */
const PORTS = [80, 80, 80, 81, 82];
const ICMP_TYPES = { 4: [3, 3, 3, 4, 5, 8, 11, 12], 6: [1, 2, 2, 3, 4, 128, 135] };
const MTUS = [0, 1, 68, 296, 552, 1006, 1280, 1492, 1500, 65_535];

/** Receives a packet: its first `size` bytes. */
export type Deliver = (
  packet: Uint8Array,
  size: number,
  checksum: ChecksumState,
  segmentSize: number,
) => void;

/** All peers of the stack; draws the packets they send. */
export class Peer {
  readonly #dice: Dice;
  readonly #deliver: Deliver;
  readonly #writer = new PacketWriter();
  #identification = 1;

  constructor(dice: Dice, deliver: Deliver) {
    this.#dice = dice;
    this.#deliver = deliver;
  }

  /** Sends a SYN from a random peer. */
  sendSyn(): void {
    const dice = this.#dice;
    const version = dice.of([4, 6] as const);
    const syn = drawSyn(dice, 1024 + dice.below(60_000), dice.of(PORTS));
    this.#writer.tcp(dice.of(PEERS[version]), OWN[version], syn);
    this.#deliver(this.#writer.bytes, this.#writer.size, "full", 0);
  }

  /** Sends a packet for the connection `tcb`; returns a description. */
  sendTo(tcb: Tcb, now: number): void {
    const dice = this.#dice;
    const kind = dice.below(100);
    if (kind < 40) this.#sendSegment(tcb, drawGood(dice, tcb, now));
    else if (kind < 85) this.#sendSegment(tcb, drawNearby(dice, tcb, now));
    else if (kind < 90) this.#sendDamaged(tcb, now);
    else if (kind < 95) this.#sendIcmp(tcb);
    else if (kind < 98) this.#sendFragments(tcb, now);
    else this.sendNoise();
  }

  /** Random bytes. */
  sendNoise(): void {
    const dice = this.#dice;
    const { bytes } = this.#writer;
    const size = dice.below(dice.chance(0.9) ? 120 : 2000);
    dice.random.fill(bytes.subarray(0, size));
    if (dice.chance(0.8)) {
      const version = dice.of([4, 6] as const);
      const payload = bytes.slice(0, Math.max(0, size - 40));
      const protocol = dice.of([6, 6, 17, 1, 58, 0, 43, 44, 60, dice.byte()]);
      this.#writer.raw(dice.of(PEERS[version]), OWN[version], protocol, payload);
      this.#deliver(bytes, this.#writer.size, dice.of(["full", "verified"] as const), 0);
    } else {
      this.#deliver(bytes, size, dice.of(["full", "partial", "verified"] as const), 0);
    }
  }

  #sendSegment(tcb: Tcb, fields: ReturnType<typeof drawNearby>): void {
    const dice = this.#dice;
    this.#writer.tcp(tcb.remote, tcb.local, fields);
    const isSuper = fields.textLength > 1 && dice.chance(0.1);
    const checksum = dice.of(["full", "verified", "partial"] as const);
    const segmentSize = isSuper ? 1 + dice.below(fields.textLength) : 0;
    this.#deliver(this.#writer.bytes, this.#writer.size, checksum, segmentSize);
  }

  /** Corrupts bits and lengths; the checksum may be updated, so that it does not reveal it. */
  #sendDamaged(tcb: Tcb, now: number): void {
    const dice = this.#dice;
    const writer = this.#writer;
    writer.tcp(tcb.remote, tcb.local, drawNearby(dice, tcb, now));
    for (let i = 1 + dice.below(4); i > 0; i--) {
      const most = dice.chance(0.7) ? Math.min(writer.size, 80) : writer.size;
      writer.bytes[dice.below(most)]! ^= 1 << dice.below(8);
    }
    if (dice.chance(0.2)) writer.size = dice.below(writer.size + 20);
    if (dice.chance(0.5)) writer.sumTcp(tcb.remote, tcb.local);
    if (dice.chance(0.8)) writer.sumIpv4();
    this.#deliver(writer.bytes, writer.size, dice.of(["full", "verified"] as const), 0);
  }

  /** An ICMP error about a segment of the connection, genuine or forged. */
  #sendIcmp(tcb: Tcb): void {
    const dice = this.#dice;
    const version = tcb.local.isV4 ? 4 : 6;
    const writer = this.#writer;
    writer.tcp(tcb.local, tcb.remote, {
      sourcePort: tcb.localPort,
      destinationPort: tcb.remotePort,
      seq: (dice.of([tcb.sndUna, tcb.sndNxt]) + dice.offset()) | 0,
      ack: 0,
      flags: 16,
      window: 0,
      urgentPointer: 0,
      ecn: 0,
      options: [],
      textLength: 0,
    });
    const body = writer.bytes.slice(0, writer.size);
    if (dice.chance(0.1)) body[dice.below(body.length)]! ^= 1 << dice.below(8);
    const whole = ipHeaderLength(tcb.local) + 8;
    writer.icmp(dice.chance(0.5) ? tcb.remote : dice.of(PEERS[version]), tcb.local, {
      type: dice.chance(0.9) ? dice.of(ICMP_TYPES[version]) : dice.byte(),
      code: dice.chance(0.6) ? 4 * dice.below(2) : dice.below(16),
      rest: dice.chance(0.1) ? dice.random.uint32() : dice.of(MTUS),
      body,
      quoted: dice.chance(0.8) ? whole : dice.below(body.length + 1),
    });
    this.#deliver(writer.bytes, writer.size, "full", 0);
  }

  /** A segment in fragments: some missing, duplicated, overlapping or out of order. */
  #sendFragments(tcb: Tcb, now: number): void {
    const dice = this.#dice;
    const writer = this.#writer;
    writer.tcp(tcb.remote, tcb.local, drawGood(dice, tcb, now));
    const length = writer.size - writer.payloadStart;
    const identification = dice.chance(0.2) ? this.#identification : ++this.#identification;
    const pieces: Uint8Array[] = [];
    for (let start = 0; start < length;) {
      const end = Math.min(length, start + 8 * (1 + dice.below(100)));
      pieces.push(writer.fragment(start, end, end < length || dice.chance(0.02), identification));
      start = dice.chance(0.05) ? Math.max(start + 8, (end - 8) & ~7) : end < length ? end : length;
    }
    if (dice.chance(0.3)) pieces.reverse();
    if (dice.chance(0.1)) pieces.push(dice.of(pieces));
    if (dice.chance(0.1)) pieces.pop();
    for (const piece of pieces) this.#deliver(piece, piece.length, "full", 0);
  }
}
