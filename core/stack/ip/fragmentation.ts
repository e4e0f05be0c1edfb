/**
 * Replies and datagrams that are larger than the link's MTU leave in fragments (RFC 791 3.2,
 * RFC 8200 4.5). TCP never comes here: its segments fit.
 *
 * @module
 */
import type { KeyedHash } from "../../tcp/isn.ts";
import { IpAddress } from "../../wire/address.ts";
import { writeU16, writeU32 } from "../../wire/bytes.ts";
import { writeHeaderChecksum } from "../../wire/ip.ts";
import type { Packet } from "../replies.ts";

/** Every path carries packets of this size (RFC 8200 5). */
const LEAST_IPV6_MTU = 1280;
/** Identifications are counted for that many groups of peers apart. */
const COUNTERS = 64;
const FRAGMENT_HEADER = 44;

/** Cuts packets that have no options and no extension headers. */
export class Fragmentation {
  readonly #mtu: number;
  readonly #hash: KeyedHash;
  readonly #counters = new Uint32Array(COUNTERS);

  constructor(mtu: number, hash: KeyedHash) {
    this.#mtu = mtu;
    this.#hash = hash;
  }

  /** The packet itself when it fits. */
  split(packet: Packet): Packet[] {
    if (packet.length <= this.#mtu) return [packet];
    return packet[0]! >>> 4 === 4 ? this.#splitV4(packet) : this.#splitV6(packet);
  }

  /**
   * {@link Fragmentation.split} for a datagram of an application, which IPv4 routers may cut.
   * `pathMtu`: the largest IPv6 packet that reaches the peer, where that is known.
   */
  splitDatagram(packet: Packet, pathMtu: number = this.#mtu): Packet[] {
    if (packet.length > Math.min(this.#mtu, pathMtu)) {
      return packet[0]! >>> 4 === 4 ? this.#splitV4(packet) : this.#splitV6(packet);
    }
    // RFC 6864 4.1: what is not marked "don't fragment" has an identification of its own.
    if (packet[0]! >>> 4 === 4) this.#allowCutting(packet);
    return [packet];
  }

  #allowCutting(packet: Packet): void {
    const id = this.#identification(IpAddress.readV4(packet, 12), IpAddress.readV4(packet, 16));
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

  /** No router makes them smaller on the way. */
  #splitV6(packet: Packet): Packet[] {
    const id = this.#identification(IpAddress.readV6(packet, 8), IpAddress.readV6(packet, 24));
    const mtu = Math.min(this.#mtu, LEAST_IPV6_MTU);
    return pieces(packet, 40, 48, mtu, (fragment, offset, more) => {
      writeU16(fragment, 4, fragment.length - 40);
      fragment[40] = fragment[6]!;
      fragment[6] = FRAGMENT_HEADER;
      writeU16(fragment, 42, offset | (more ? 1 : 0));
      writeU32(fragment, 44, id);
    });
  }

  /** RFC 7739 5.3: does not repeat soon for a peer (RFC 6864 4.3), and tells no other anything. */
  #identification(local: IpAddress, remote: IpAddress): number {
    const hash = this.#hash.connection(local, 0, remote, 0);
    return (hash + this.#counters[hash >>> 26]!++) | 0;
  }
}

/** The payload behind `headerLength` bytes in pieces of `mtu` with a header of `newLength` bytes. */
function pieces(
  packet: Packet,
  headerLength: number,
  newLength: number,
  mtu: number,
  complete: (fragment: Packet, offset: number, more: boolean) => void,
): Packet[] {
  const fragments: Packet[] = [];
  // All but the last are multiples of 8.
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
