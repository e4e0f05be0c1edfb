/**
 * Decides whether an ICMP error may be sent about a packet.
 *
 * @module
 */
import { readU16 } from "../../wire/bytes.ts";
import { isIcmpErrorType } from "../../wire/icmp.ts";
import { PROTOCOL } from "../../wire/ip.ts";
import { findUpperLayer, FRAGMENT_HEADER } from "../../wire/ipv6_extensions.ts";

/**
 * False for packets that may be ICMP errors themselves and for IPv4 fragments other than the first
 * (RFC 1122 3.2.2, RFC 4443 2.4 (e)). The packet is `packet[0, end)`; its addresses are not checked
 * here.
 */
export function mayCauseError(packet: Uint8Array, end: number): boolean {
  return packet[0]! >>> 4 === 4 ? mayCauseErrorV4(packet, end) : mayCauseErrorV6(packet, end);
}

function mayCauseErrorV4(packet: Uint8Array, end: number): boolean {
  if ((readU16(packet, 6) & 0x1fff) !== 0) return false;
  const at = (packet[0]! & 15) * 4;
  return packet[9] !== PROTOCOL.ICMP || (at < end && !isIcmpErrorType(4, packet[at]!));
}

/** A packet with an incomplete header chain may cause an error (RFC 7112 5). */
function mayCauseErrorV6(packet: Uint8Array, end: number): boolean {
  const upper = findUpperLayer(packet, packet[6]!, 40, end);
  if (upper === undefined) return true;
  if (upper.protocol === FRAGMENT_HEADER) return packet[upper.at] !== PROTOCOL.ICMPV6;
  if (upper.protocol !== PROTOCOL.ICMPV6) return true;
  return upper.at < end && !isIcmpErrorType(6, packet[upper.at]!);
}
