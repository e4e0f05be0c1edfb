/**
 * The packet that an ICMP error quotes: only its beginning is there.
 *
 * @module
 */
import { IpAddress } from "../wire/address.ts";
import { readI32, readU16 } from "../wire/bytes.ts";
import { PROTOCOL } from "../wire/ip.ts";

/** A segment of ours, as far as it was quoted. */
export interface QuotedSegment {
  readonly local: IpAddress;
  readonly localPort: number;
  readonly remote: IpAddress;
  readonly remotePort: number;
  readonly seq: number;
}

/** Reads the quoted packet in `packet[start, end)`; `undefined` when it is not a TCP segment. */
export function parseQuoted(
  packet: Uint8Array,
  start: number,
  end: number,
): QuotedSegment | undefined {
  if (end - start < 28) return undefined;
  const isV4 = packet[start]! >>> 4 === 4;
  if (!isV4 && packet[start]! >>> 4 !== 6) return undefined;
  const tcp = start + (isV4 ? (packet[start]! & 15) * 4 : 40);
  const protocol = packet[start + (isV4 ? 9 : 6)];
  if (protocol !== PROTOCOL.TCP || tcp + 8 > end) return undefined;
  return {
    local: isV4 ? IpAddress.readV4(packet, start + 12) : IpAddress.readV6(packet, start + 8),
    remote: isV4 ? IpAddress.readV4(packet, start + 16) : IpAddress.readV6(packet, start + 24),
    localPort: readU16(packet, tcp),
    remotePort: readU16(packet, tcp + 2),
    seq: readI32(packet, tcp + 4),
  };
}
