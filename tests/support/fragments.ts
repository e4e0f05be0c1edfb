/**
 * Encodes and decodes fragments (RFC 791 3.2, RFC 8200 4.5), independently of the stack.
 *
 * @module
 */
import { type LinkFeatures, OutgoingPacket } from "../../core/stack/link.ts";
import { CoreStack, SECRET_LENGTH } from "../../core/stack/stack.ts";
import { PROFILES } from "../../core/tcp/config.ts";
import { UDP_DEFAULTS, type UdpConfig } from "../../core/udp/config.ts";
import { Subnet } from "../../core/wire/address.ts";
import { decode, type SentMessage, type SentSegment } from "./dsl/decode.ts";
import { onesComplementSum } from "./dsl/encode.ts";

type Bytes = Uint8Array<ArrayBuffer>;

/** Header fields of a fragment. */
export interface FragmentFields {
  /** Default 77. */
  id?: number;
  /** Default: whether `end` is before the end of the payload. */
  more?: boolean;
  /** Fragment offset in bytes; default `start`. */
  offset?: number;
}

/** Bytes `[start, end)` of the payload of `packet`, which has neither options nor extensions. */
export function fragmentOf(
  packet: Uint8Array,
  start: number,
  end: number,
  fields: FragmentFields = {},
): Bytes {
  const isV4 = isPacketV4(packet);
  const payload = packet.subarray(isV4 ? 20 : 40);
  const { id = 77, more = end < payload.length, offset = start } = fields;
  const piece = payload.subarray(start, end);
  return isV4
    ? fragmentV4(packet, piece, (offset >> 3) | (more ? 0x2000 : 0), id)
    : fragmentV6(packet, piece, offset | (more ? 1 : 0), id);
}

/** Fragments a packet at the offsets `ends`. */
export function cut(packet: Uint8Array, ends: readonly number[], id = 77): Bytes[] {
  const length = packet.length - (isPacketV4(packet) ? 20 : 40);
  return [...ends, length].map((end, i) => fragmentOf(packet, ends[i - 1] ?? 0, end, { id }));
}

function fragmentV4(packet: Uint8Array, piece: Uint8Array, field: number, id: number): Bytes {
  const fragment = new Uint8Array(20 + piece.length);
  fragment.set(packet.subarray(0, 20));
  fragment.set(piece, 20);
  const view = new DataView(fragment.buffer);
  view.setUint16(2, fragment.length);
  view.setUint16(4, id);
  view.setUint16(6, field);
  return withHeaderChecksum(fragment);
}

function fragmentV6(packet: Uint8Array, piece: Uint8Array, field: number, id: number): Bytes {
  const fragment = new Uint8Array(48 + piece.length);
  fragment.set(packet.subarray(0, 40));
  fragment.set(piece, 48);
  const view = new DataView(fragment.buffer);
  view.setUint16(4, 8 + piece.length);
  fragment[40] = packet[6]!;
  fragment[6] = 44;
  view.setUint16(42, field);
  view.setUint32(44, id);
  return fragment;
}

/** Updates the header checksum of an IPv4 packet. */
export function withHeaderChecksum(packet: Bytes): Bytes {
  if (!isPacketV4(packet)) return packet;
  const view = new DataView(packet.buffer);
  view.setUint16(10, 0);
  view.setUint16(10, ~onesComplementSum(packet.subarray(0, (packet[0]! & 15) * 4)) & 0xffff);
  return packet;
}

/** Reassembles fragments sent in order, and checks that they belong to one packet. */
export function joined(fragments: readonly Uint8Array[]): Bytes {
  const isV4 = isPacketV4(fragments[0]!);
  const headerLength = isV4 ? 20 : 48;
  const payload: number[] = [];
  for (const [i, fragment] of fragments.entries()) {
    const view = new DataView(fragment.buffer, fragment.byteOffset, fragment.byteLength);
    const isLast = i === fragments.length - 1;
    const field = isV4
      ? (payload.length >> 3) | (isLast ? 0 : 0x2000)
      : payload.length | (isLast ? 0 : 1);
    must(view.getUint16(isV4 ? 6 : 42) === field, "offset and more fragments");
    must(identificationOf(fragment) === identificationOf(fragments[0]!), "identification");
    must(isV4 || fragment[6] === 44, "next header");
    if (isV4) must(onesComplementSum(fragment.subarray(0, 20)) === 0xffff, "header checksum");
    must(view.getUint16(isV4 ? 2 : 4) === fragment.length - (isV4 ? 0 : 40), "length");
    for (const byte of fragment.subarray(headerLength)) payload.push(byte);
  }
  return wholeOf(fragments[0]!, payload);
}

/** Converts a reassembled packet to an unfragmented one, for `decode`. */
function wholeOf(first: Uint8Array, payload: readonly number[]): Bytes {
  const isV4 = isPacketV4(first);
  const headerLength = isV4 ? 20 : 40;
  const whole = new Uint8Array(headerLength + payload.length);
  whole.set(first.subarray(0, headerLength));
  whole.set(payload, headerLength);
  const view = new DataView(whole.buffer);
  view.setUint16(isV4 ? 2 : 4, isV4 ? whole.length : payload.length);
  if (isV4) view.setUint16(6, 0x4000);
  else whole[6] = first[40]!;
  return withHeaderChecksum(whole);
}

/** The identification of a fragment. */
export function identificationOf(fragment: Uint8Array): number {
  const view = new DataView(fragment.buffer, fragment.byteOffset, fragment.byteLength);
  return isPacketV4(fragment) ? view.getUint16(4) : view.getUint32(44);
}

function isPacketV4(packet: Uint8Array): boolean {
  return packet[0]! >>> 4 === 4;
}

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`a fragment is wrong: ${what}`);
}

/** A stack at 10.0.0.2 and fd00::2, whose packets are collected. */
export class FragmentHost {
  readonly stack: CoreStack;
  now = 1_000_000;
  readonly #out = new OutgoingPacket();

  constructor(mtu = 1500, udp: Partial<UdpConfig> = {}, features: Partial<LinkFeatures> = {}) {
    this.stack = new CoreStack({
      features: { mtu, maxSuperPacket: 0, checksumOffload: false, ...features },
      subnets: ["10.0.0.2/24", "fd00::2/64"].map((text) => Subnet.parse(text)!),
      tcp: PROFILES.local,
      udp: { ...UDP_DEFAULTS, ...udp },
      secret: Uint8Array.from({ length: SECRET_LENGTH }, (_, i) => i * 29 + 3),
      maxConnections: 100,
      maxTimeWait: 10,
    });
  }

  /** Delivers packets to the stack; returns the packets it sends. */
  receive(...packets: readonly Uint8Array[]): Bytes[] {
    for (const packet of packets) this.stack.receive(packet, packet.length, "full", 0, this.now);
    return this.sent();
  }

  /**
   * Delivers packets to the stack; returns the decoded packets it sends, which must not be
   * fragments.
   */
  exchange(...packets: readonly Uint8Array[]): (SentSegment | SentMessage)[] {
    return this.receive(...packets).map(decode);
  }

  /** Advances the time. */
  wait(milliseconds: number): Bytes[] {
    this.now += milliseconds;
    this.stack.handleTimeout(this.now);
    return this.sent();
  }

  /** The packets that the stack sends. */
  sent(): Bytes[] {
    const packets: Bytes[] = [];
    while (this.stack.pollTransmit(this.#out, this.now)) {
      const packet = new Uint8Array(this.#out.byteLength);
      this.#out.copyTo(packet, 0);
      packets.push(packet);
    }
    return packets;
  }

  /** Number of dropped packets by reason. */
  drops(): Record<string, number> {
    const drops = Object.entries(this.stack.stats.snapshot())
      .filter(([name]) => name.startsWith("drop."))
      .map(([name, count]) => [name.slice("drop.".length), count] as const);
    return Object.fromEntries(drops);
  }
}
