/**
 * Validation of first fragments, and the ICMP errors about fragments.
 *
 * @module
 */
import type { DropReason } from "../../wire/drop_reason.ts";
import { type IpHeader, PROTOCOL } from "../../wire/ip.ts";
import { findUpperLayer } from "../../wire/ipv6_extensions.ts";
import { mayCauseError } from "../icmp/error_eligibility.ts";
import { icmpError, type Packet } from "../replies.ts";

/** Length of the fixed part of upper-layer headers; for ICMPv6, RFC 7112 3 counts 4 bytes. */
const HEADER_LENGTH: ReadonlyMap<number, number> = new Map([
  [PROTOCOL.TCP, 20],
  [PROTOCOL.UDP, 8],
  [PROTOCOL.ICMP, 8],
  [PROTOCOL.ICMPV6, 4],
]);

/**
 * RFC 7112 5, RFC 1858 3: the first fragment must hold all headers. A fragment inside a fragment is
 * refused too.
 */
export function isWholeHeaderThere(ip: IpHeader, packet: Uint8Array): boolean {
  const { payloadStart: at, payloadEnd: end } = ip;
  const upper = ip.version === 4
    ? { protocol: ip.protocol, at, isFragment: false }
    : findUpperLayer(packet, ip.protocol, at, end);
  if (upper === undefined || upper.isFragment) return false;
  const there = end - upper.at;
  if (there < (HEADER_LENGTH.get(upper.protocol) ?? 0)) return false;
  return upper.protocol !== PROTOCOL.TCP || there >= (packet[upper.at + 12]! >>> 4) * 4;
}

/** The ICMP error to send about a fragment dropped for `reason`, if any. */
export function fragmentError(
  ip: IpHeader,
  packet: Uint8Array,
  reason: DropReason,
  hopLimit: number,
): Packet | undefined {
  if (!mayCauseError(packet, ip.payloadEnd)) return undefined;
  const isV4 = ip.version === 4;
  if (reason === "ip-fragment-timeout") {
    return icmpError(ip, packet, { type: isV4 ? 11 : 3, code: 1, rest: 0 }, hopLimit);
  }
  const rest = pointerOf(ip, reason);
  if (isV4 || rest === undefined) return undefined;
  const code = reason === "ip-fragment-header" ? 3 : 0;
  return icmpError(ip, packet, { type: 4, code, rest }, hopLimit);
}

/** RFC 8200 4.5: offset of the payload length or fragment offset field, or 0. */
function pointerOf(ip: IpHeader, reason: DropReason): number | undefined {
  if (reason === "ip-fragment-length") return 4;
  if (reason === "ip-fragment-size") return ip.payloadStart - 6;
  return reason === "ip-fragment-header" ? 0 : undefined;
}
