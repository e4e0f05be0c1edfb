import { icmpError, type Packet } from "../../core/stack/replies.ts";
import { IpHeader, parseIp } from "../../core/wire/ip.ts";

/** A router with a smaller MTU than the link, for a while. */
export interface Narrowing {
  /** Milliseconds. */
  readonly from: number;
  readonly until: number;
  /** MTU in bytes. */
  readonly mtu: number;
  /**
   * The router's error about a packet that is too big: with the MTU, without it (RFC 1191 4, IPv4
   * only), or none, which makes it a black hole.
   */
  readonly tells: "mtu" | "too-big" | "nothing";
}

/** Whether a packet fits; for a super-packet, whether its segments do. */
export function fits(
  narrow: Narrowing,
  packet: Uint8Array,
  segmentSize: number,
  now: number,
): boolean {
  if (now < narrow.from || now >= narrow.until) return true;
  const ipLength = packet[0]! >>> 4 === 4 ? 20 : 40;
  const headers = ipLength + (packet[ipLength + 12]! >>> 4) * 4;
  return Math.min(packet.length, segmentSize > 0 ? headers + segmentSize : Infinity) <= narrow.mtu;
}

/** The router's ICMP error (RFC 792, RFC 1191 4, RFC 4443 3.2), or `undefined`. */
export function packetTooBig(narrow: Narrowing, packet: Uint8Array): Packet | undefined {
  if (narrow.tells === "nothing") return undefined;
  const ip = new IpHeader();
  if (parseIp(packet, packet.length, ip) !== undefined) return undefined;
  const isV4 = ip.version === 4;
  const rest = isV4 && narrow.tells === "too-big" ? 0 : narrow.mtu;
  return icmpError(ip, packet, { type: isV4 ? 3 : 2, code: isV4 ? 4 : 0, rest }, 64);
}
