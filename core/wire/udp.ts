/**
 * The UDP header (RFC 768): bytes to a {@link UdpHeader} and back.
 *
 * @module
 */
import type { IpAddress } from "./address.ts";
import { readU16, writeU16 } from "./bytes.ts";
import { addBytes, finish, fold, pseudoHeaderSum } from "./checksum.ts";
import type { DropReason } from "./drop_reason.ts";
import { type IpHeader, ipHeaderLength, PROTOCOL, pseudoHeaderSumOf } from "./ip.ts";

/** Length of the header, in bytes. */
export const UDP_HEADER_LENGTH = 8;

/** A received header and the position of the data in the packet; the object is reused. */
export class UdpHeader {
  /** 0: the sender expects no reply (RFC 768). */
  sourcePort = 0;
  destinationPort = 0;
  dataStart = 0;
  dataEnd = 0;
}

/** Maximum length of a datagram's data for this family: 65,507 bytes, or 65,527 with IPv6. */
export function maxDatagramLength(address: IpAddress): number {
  return 65_535 - UDP_HEADER_LENGTH - (address.isV4 ? ipHeaderLength(address) : 0);
}

/** Parses the datagram that `ip` carries, and verifies its checksum if `mustVerify` is set. */
export function parseUdp(
  ip: IpHeader,
  packet: Uint8Array,
  mustVerify: boolean,
  header: UdpHeader,
): DropReason | undefined {
  const { payloadStart, payloadEnd } = ip;
  if (payloadEnd - payloadStart < UDP_HEADER_LENGTH) return "udp-short";
  const length = readU16(packet, payloadStart + 4);
  // Bytes between the end of the datagram and the end of the packet are not data (RFC 9868 7).
  if (length < UDP_HEADER_LENGTH || length > payloadEnd - payloadStart) return "udp-length";
  if (mustVerify && !checksumHolds(ip, packet, length)) return "udp-checksum";
  header.sourcePort = readU16(packet, payloadStart);
  header.destinationPort = readU16(packet, payloadStart + 2);
  header.dataStart = payloadStart + UDP_HEADER_LENGTH;
  header.dataEnd = payloadStart + length;
  return undefined;
}

function checksumHolds(ip: IpHeader, packet: Uint8Array, length: number): boolean {
  const { payloadStart, version } = ip;
  // RFC 768: zero means no checksum; IPv6 requires one (RFC 8200 8.1).
  if (readU16(packet, payloadStart + 6) === 0) return version === 4;
  const sum = pseudoHeaderSumOf(ip, length);
  return fold(addBytes(sum, packet, payloadStart, payloadStart + length)) === 0xffff;
}

/**
 * Writes the header at `at` of a packet that ends at `end`. The checksum field holds only the sum of the
 * pseudo-header; the link completes it.
 */
export function emitUdpHeader(
  packet: Uint8Array,
  at: number,
  end: number,
  source: IpAddress,
  sourcePort: number,
  destination: IpAddress,
  destinationPort: number,
): void {
  const length = end - at;
  writeU16(packet, at, sourcePort);
  writeU16(packet, at + 2, destinationPort);
  writeU16(packet, at + 4, length);
  writeU16(packet, at + 6, fold(pseudoHeaderSum(source, destination, PROTOCOL.UDP, length)));
}

/**
 * Writes the header at `at`. The data after it, up to the end of `packet`, must be in place
 * already.
 */
export function emitUdp(
  packet: Uint8Array,
  at: number,
  source: IpAddress,
  sourcePort: number,
  destination: IpAddress,
  destinationPort: number,
): void {
  const length = packet.length - at;
  writeU16(packet, at, sourcePort);
  writeU16(packet, at + 2, destinationPort);
  writeU16(packet, at + 4, length);
  writeU16(packet, at + 6, 0);
  const sum = pseudoHeaderSum(source, destination, PROTOCOL.UDP, length);
  // RFC 768: a computed checksum of zero is sent as all ones.
  writeU16(packet, at + 6, finish(addBytes(sum, packet, at, packet.length)) || 0xffff);
}
