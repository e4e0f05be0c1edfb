/**
 * Which headers a first fragment must hold, and what a sender is told about fragments that cannot
 * be joined.
 *
 * @module
 */
import type { DropReason } from "../wire/drop_reason.ts";
import { IpHeader, PROTOCOL, skipExtensionHeaders } from "../wire/ip.ts";
import { icmpError, type Packet } from "./replies.ts";

/** Bytes of the upper-layer header, or of its fixed part; RFC 7112 3 counts 4 of ICMPv6. */
const HEADER_LENGTH: ReadonlyMap<number, number> = new Map([
  [PROTOCOL.TCP, 20],
  [PROTOCOL.UDP, 8],
  [PROTOCOL.ICMP, 8],
  [PROTOCOL.ICMPV6, 4],
]);

/**
 * RFC 7112 5, RFC 1858 3: what decides about a packet is not spread over fragments. A fragment in a
 * fragment is refused too.
 */
export function isWholeHeaderThere(ip: IpHeader, packet: Uint8Array): boolean {
  const chain = new IpHeader();
  chain.protocol = ip.protocol;
  chain.payloadStart = ip.payloadStart;
  if (ip.version === 6) {
    const { payloadStart, payloadEnd } = ip;
    const cut = skipExtensionHeaders(packet, payloadStart - 8, payloadStart, payloadEnd, chain);
    if (cut !== undefined || chain.isFragment) return false;
  }
  const there = ip.payloadEnd - chain.payloadStart;
  if (there < (HEADER_LENGTH.get(chain.protocol) ?? 0)) return false;
  return chain.protocol !== PROTOCOL.TCP || there >= (packet[chain.payloadStart + 12]! >>> 4) * 4;
}

/** The ICMP error about a fragment that was dropped for `reason`, if there is one. */
export function fragmentError(
  ip: IpHeader,
  packet: Uint8Array,
  reason: DropReason,
  hopLimit: number,
): Packet | undefined {
  if (mayBeError(ip, packet)) return undefined;
  const isV4 = ip.version === 4;
  if (reason === "ip-fragment-timeout") {
    return icmpError(ip, packet, { type: isV4 ? 11 : 3, code: 1, rest: 0 }, hopLimit);
  }
  const rest = pointerOf(ip, reason);
  if (isV4 || rest === undefined) return undefined;
  const code = reason === "ip-fragment-header" ? 3 : 0;
  return icmpError(ip, packet, { type: 4, code, rest }, hopLimit);
}

/** RFC 1122 3.2.2, RFC 4443 2.4 (e.1): errors are not answered with errors. */
function mayBeError(ip: IpHeader, packet: Uint8Array): boolean {
  if (ip.protocol !== PROTOCOL.ICMP && ip.protocol !== PROTOCOL.ICMPV6) return false;
  const echoRequest = ip.protocol === PROTOCOL.ICMP ? 8 : 128;
  return ip.fragmentOffset > 0 || packet[ip.payloadStart] !== echoRequest;
}

/** RFC 8200 4.5: payload length, fragment offset, or nothing in particular. */
function pointerOf(ip: IpHeader, reason: DropReason): number | undefined {
  if (reason === "ip-fragment-length") return 4;
  if (reason === "ip-fragment-size") return ip.payloadStart - 6;
  return reason === "ip-fragment-header" ? 0 : undefined;
}
