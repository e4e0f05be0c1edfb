/**
 * Fragmentation of replies and datagrams larger than the link's MTU (RFC 791 3.2, RFC 8200 4.5).
 * TCP segments always fit and are never fragmented.
 *
 * @module
 */
import type { KeyedHash } from "../../tcp/isn.ts";
import { IpAddress } from "../../wire/address.ts";
import { writeU16, writeU32 } from "../../wire/bytes.ts";
import { writeHeaderChecksum } from "../../wire/ip.ts";
import type { Packet } from "../replies.ts";

/** Minimum IPv6 MTU, which every path supports (RFC 8200 5). */
const MIN_IPV6_MTU = 1280;
/** Number of identification counters; peers are hashed to one of them. */
const COUNTERS = 64;
const FRAGMENT_HEADER = 44;

/** Fragments packets without options and extension headers. */
export class Fragmentation {
  readonly #mtu: number;
  readonly #hash: KeyedHash;
  readonly #counters = new Uint32Array(COUNTERS);

  constructor(mtu: number, hash: KeyedHash) {
    this.#mtu = mtu;
    this.#hash = hash;
  }

  /** Returns the packet itself if it fits. */
  split(packet: Packet): Packet[] {
    if (packet.length <= this.#mtu) return [packet];
    return packet[0]! >>> 4 === 4 ? this.#splitV4(packet) : this.#splitV6(packet);
  }

  /**
   * {@link Fragmentation.split} for an application's datagram, which IPv4 routers may fragment.
   * `pathMtu`: the IPv6 path MTU, if known.
   */
  splitDatagram(packet: Packet, pathMtu: number = this.#mtu): Packet[] {
    if (packet.length > Math.min(this.#mtu, pathMtu)) {
      return packet[0]! >>> 4 === 4 ? this.#splitV4(packet) : this.#splitV6(packet);
    }
    // RFC 6864 4.3: without DF, each datagram needs an identification of its own.
    this.allowCutting(packet, 1);
    return [packet];
  }

  /**
   * Lets IPv4 routers fragment a packet, which the link may split into `count` packets with consecutive
   * identifications.
   */
  allowCutting(packet: Packet, count: number): void {
    if (packet[0]! >>> 4 !== 4) return;
    const [local, remote] = [IpAddress.readV4(packet, 12), IpAddress.readV4(packet, 16)];
    const id = this.#identification(local, remote, count);
    writeU16(packet, 4, id);
    writeU16(packet, 6, 0);
    writeHeaderChecksum(packet, 0, 20);
  }

  #splitV4(packet: Packet): Packet[] {
    const id = this.#identification(IpAddress.readV4(packet, 12), IpAddress.readV4(packet, 16));
    return pieces(packet, 20, 20, this.#mtu, (fragment, offset, more) => {
      writeU16(fragment, 2, fragment.length);
      writeU16(fragment, 4, id);
      writeU16(fragment, 6, (offset >>> 3) | (more ? 0x2000 : 0));
      writeHeaderChecksum(fragment, 0, 20);
    });
  }

  /** Routers do not fragment IPv6, so the fragments have the minimum MTU. */
  #splitV6(packet: Packet): Packet[] {
    const id = this.#identification(IpAddress.readV6(packet, 8), IpAddress.readV6(packet, 24));
    const mtu = Math.min(this.#mtu, MIN_IPV6_MTU);
    return pieces(packet, 40, 48, mtu, (fragment, offset, more) => {
      writeU16(fragment, 4, fragment.length - 40);
      fragment[40] = fragment[6]!;
      fragment[6] = FRAGMENT_HEADER;
      writeU16(fragment, 42, offset | (more ? 1 : 0));
      writeU32(fragment, 44, id);
    });
  }

  /** RFC 7739 5.3: repeats late for each peer (RFC 6864 4.3) and reveals nothing to other peers. */
  #identification(local: IpAddress, remote: IpAddress, count = 1): number {
    const hash = this.#hash.connection(local, 0, remote, 0);
    const counter = this.#counters[hash >>> 26]!;
    this.#counters[hash >>> 26] = counter + count;
    return (hash + counter) | 0;
  }
}

/**
 * Splits the payload after `headerLength` bytes into fragments of at most `mtu` bytes, each with
 * `newLength` bytes of headers.
 */
function pieces(
  packet: Packet,
  headerLength: number,
  newLength: number,
  mtu: number,
  complete: (fragment: Packet, offset: number, more: boolean) => void,
): Packet[] {
  const fragments: Packet[] = [];
  // The length of all but the last is a multiple of 8.
  const step = Math.max(8, Math.floor((mtu - newLength) / 8) * 8);
  const end = packet.length;
  for (let at = headerLength; at < end; at += step) {
    const payload = packet.subarray(at, Math.min(end, at + step));
    const fragment = new Uint8Array(newLength + payload.length);
    fragment.set(packet.subarray(0, headerLength));
    fragment.set(payload, newLength);
    complete(fragment, at - headerLength, at + step < end);
    fragments.push(fragment);
  }
  return fragments;
}
