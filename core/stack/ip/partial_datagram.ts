/**
 * One datagram that is being reassembled (RFC 791 3.2, RFC 8200 4.5).
 *
 * @module
 */
import type { IpAddress } from "../../wire/address.ts";
import { writeU16 } from "../../wire/bytes.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { type IpHeader, writeHeaderChecksum } from "../../wire/ip.ts";
import type { Packet } from "../replies.ts";

/** Maximum number of fragments of a datagram: 65,535 bytes in packets of 576 bytes need 119. */
export const MAX_FRAGMENTS = 128;

/** Memory accounted for a datagram and for each fragment in addition to their bytes. */
const OVERHEAD = 512;

const MAX_DATAGRAM_LENGTH = 65_535;
/** Bits in the set of ECN codepoints (RFC 3168 5). */
const NOT_ECT = 1 << 0;
const CE = 1 << 3;

interface Fragment {
  readonly start: number;
  readonly end: number;
  readonly bytes: Packet;
}

/** Collects fragments, in any order, until the datagram is complete. */
export class PartialDatagram {
  readonly key: string;
  /** The sender. */
  readonly remote: IpAddress;
  /** Time at which reassembly is abandoned, in milliseconds. */
  readonly deadline: number;
  /** Memory accounted for it, in bytes. */
  byteLength: number = OVERHEAD;
  /**
   * Set once the datagram is discarded; later fragments of it are dropped for the same reason (RFC
   * 5722 4).
   */
  discarded: DropReason | undefined;
  /** In order of their offset; they do not overlap. */
  #fragments: Fragment[] = [];
  /** Headers of the first fragment. */
  #head: Packet | undefined;
  #nextHeaderAt = 0;
  /** Payload bytes received, and in the whole datagram (-1: not known yet). */
  #received = 0;
  #total = -1;
  /** Set of ECN codepoints seen. */
  #codepoints = 0;

  constructor(key: string, remote: IpAddress, deadline: number) {
    this.key = key;
    this.remote = remote;
    this.deadline = deadline;
  }

  get fragmentCount(): number {
    return this.#fragments.length;
  }

  get isComplete(): boolean {
    return this.#received === this.#total;
  }

  /** Stores a copy of the fragment, or returns the reason to drop it. */
  add(ip: IpHeader, packet: Uint8Array): DropReason | undefined {
    const bytes = new Uint8Array(packet.subarray(ip.payloadStart, ip.payloadEnd));
    const start = ip.fragmentOffset;
    const fragment = { start, end: start + bytes.length, bytes };
    const at = this.#placeOf(start);
    if (this.#isDuplicate(fragment, at, ip.moreFragments)) return "ip-fragment-duplicate";
    if (this.#contradicts(fragment, at, ip.moreFragments)) return "ip-fragment-overlap";
    if (this.#fragments.length === MAX_FRAGMENTS) return "ip-fragment-limit";
    this.#fragments.splice(at, 0, fragment);
    this.#received += bytes.length;
    this.#codepoints |= 1 << (ip.trafficClass & 3);
    this.byteLength += bytes.length + OVERHEAD;
    if (!ip.moreFragments) this.#total = fragment.end;
    if (start === 0) this.#keepHead(ip, packet);
    return undefined;
  }

  #placeOf(start: number): number {
    let at = this.#fragments.length;
    while (at > 0 && this.#fragments[at - 1]!.start >= start) at--;
    return at;
  }

  /**
   * RFC 8200 4.5: exact duplicates may be caused by the network, and are dropped without harm to
   * the datagram.
   */
  #isDuplicate(fragment: Fragment, at: number, more: boolean): boolean {
    const known = this.#fragments[at];
    return known?.start === fragment.start && known.end === fragment.end &&
      more === (fragment.end !== this.#total) &&
      known.bytes.every((byte, i) => byte === fragment.bytes[i]);
  }

  #contradicts({ start, end }: Fragment, at: number, more: boolean): boolean {
    const previous = this.#fragments[at - 1];
    const next = this.#fragments[at];
    if (previous !== undefined && previous.end > start) return true;
    if (next !== undefined && next.start < end) return true;
    if (more) return this.#total >= 0 && end >= this.#total;
    return this.#total >= 0 || next !== undefined;
  }

  #keepHead(ip: IpHeader, packet: Uint8Array): void {
    this.#head = new Uint8Array(packet.subarray(0, ip.payloadStart));
    this.#nextHeaderAt = ip.nextHeaderAt;
    this.byteLength += ip.payloadStart;
  }

  /** The reassembled packet of a complete datagram, or the reason to drop it. */
  join(): Packet | DropReason {
    if ((this.#codepoints & (CE | NOT_ECT)) === (CE | NOT_ECT)) return "ip-fragment-ecn";
    const isV4 = this.#head![0]! >>> 4 === 4;
    const headLength = this.#head!.length - (isV4 ? 0 : 8);
    if (headLength - (isV4 ? 0 : 40) + this.#total > MAX_DATAGRAM_LENGTH) return "ip-fragment-size";
    const whole = new Uint8Array(headLength + this.#total);
    whole.set(this.#head!.subarray(0, headLength));
    for (const { start, bytes } of this.#fragments) whole.set(bytes, headLength + start);
    if (isV4) this.#completeV4(whole, headLength);
    else this.#completeV6(whole, headLength);
    return whole;
  }

  /** RFC 791 3.2: the first fragment's header with the total length. */
  #completeV4(whole: Packet, headLength: number): void {
    // RFC 3168 5.3: CE in any fragment marks the packet.
    if ((this.#codepoints & CE) !== 0) whole[1]! |= 3;
    writeU16(whole, 2, whole.length);
    writeU16(whole, 6, 0);
    writeHeaderChecksum(whole, 0, headLength);
  }

  /** RFC 8200 4.5: the first fragment's headers, without the fragment header. */
  #completeV6(whole: Packet, headLength: number): void {
    if ((this.#codepoints & CE) !== 0) whole[1]! |= 0x30;
    whole[this.#nextHeaderAt] = this.#head![headLength]!;
    writeU16(whole, 4, whole.length - 40);
  }

  /** The first fragment as received, if it has arrived. */
  firstFragment(): Packet | undefined {
    if (this.#head === undefined) return undefined;
    const { bytes } = this.#fragments[0]!;
    const packet = new Uint8Array(this.#head.length + bytes.length);
    packet.set(this.#head);
    packet.set(bytes, this.#head.length);
    return packet;
  }

  /** Discards the fragments and accepts no more. */
  discard(reason: DropReason): void {
    this.discarded = reason;
    this.#fragments = [];
    this.#head = undefined;
    this.byteLength = OVERHEAD;
  }
}
