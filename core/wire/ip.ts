/**
 * Parses and writes IPv4 (RFC 791) and IPv6 (RFC 8200) headers, with one record for both.
 *
 * @module
 */
import type { IpAddress } from "./address.ts";
import { readI32, readU16, writeU16, writeU32 } from "./bytes.ts";
import { addBytes, finish, fold, halves } from "./checksum.ts";
import type { DropReason } from "./drop_reason.ts";
import type { IpHeader } from "./ip_header.ts";
import { checkOptions } from "./ipv4_options.ts";
import { readExtensionHeaders } from "./ipv6_extensions.ts";

/** Protocol numbers that the stack handles. */
export const PROTOCOL: {
  readonly ICMP: 1;
  readonly TCP: 6;
  readonly UDP: 17;
  readonly ICMPV6: 58;
} = { ICMP: 1, TCP: 6, UDP: 17, ICMPV6: 58 };

/** RFC 8200 4.7: nothing follows. */
export const NO_NEXT_HEADER = 59;

export { type AnsweredHeader, type IpError, IpHeader } from "./ip_header.ts";

/**
 * Parses the header of `packet[0, size)` into `ip`; returns the reason if the packet is to be
 * dropped.
 */
export function parseIp(packet: Uint8Array, size: number, ip: IpHeader): DropReason | undefined {
  ip.error = undefined;
  if (size < 1) return "ip-short";
  const version = packet[0]! >>> 4;
  if (version === 4) return parseIpv4(packet, size, ip);
  return version === 6 ? parseIpv6(packet, size, ip) : "ip-version";
}

/** Whether the destination is multicast or limited broadcast. */
export function isGroupDestination({ version, d0, d3 }: IpHeader): boolean {
  return version === 4 ? d3 === -1 || d3 >>> 28 === 0xe : d0 >>> 24 === 0xff;
}

/** The pseudo-header sum for a packet's payload, or for its first `length` bytes. */
export function pseudoHeaderSumOf(
  ip: IpHeader,
  length: number = ip.payloadEnd - ip.payloadStart,
): number {
  const v6Words = ip.version === 4 ? 0 : halves(ip.s0) + halves(ip.s1) + halves(ip.s2) +
    halves(ip.d0) + halves(ip.d1) + halves(ip.d2);
  return halves(ip.s3) + halves(ip.d3) + v6Words + ip.protocol + halves(length);
}

/** Whether the payload's checksum, which covers a pseudo-header, is correct. */
export function payloadChecksumHolds(ip: IpHeader, packet: Uint8Array): boolean {
  const sum = addBytes(pseudoHeaderSumOf(ip), packet, ip.payloadStart, ip.payloadEnd);
  return fold(sum) === 0xffff;
}

function parseIpv4(packet: Uint8Array, size: number, ip: IpHeader): DropReason | undefined {
  if (size < 20) return "ip-short";
  const headerLength = (packet[0]! & 15) * 4;
  const totalLength = readU16(packet, 2);
  if (headerLength < 20 || totalLength < headerLength) return "ip-header";
  if (totalLength > size) return "ip-short";
  if (fold(addBytes(0, packet, 0, headerLength)) !== 0xffff) return "ip-checksum";
  ip.version = 4;
  ip.trafficClass = packet[1]!;
  ip.hopLimit = packet[8]!;
  ip.protocol = packet[9]!;
  ip.s0 =
    ip.s1 =
    ip.d0 =
    ip.d1 =
      0;
  ip.s2 = ip.d2 = 0xffff;
  ip.s3 = readI32(packet, 12);
  ip.d3 = readI32(packet, 16);
  ip.payloadStart = headerLength;
  ip.payloadEnd = totalLength;
  // The more-fragments bit or an offset makes it a fragment (RFC 791 3.1).
  const fragment = readU16(packet, 6) & 0x3fff;
  ip.isFragment = fragment !== 0;
  if (fragment !== 0) readFragmentV4(packet, fragment, ip);
  return headerLength > 20 ? checkOptions(packet, headerLength, ip) : undefined;
}

function readFragmentV4(packet: Uint8Array, fragment: number, ip: IpHeader): void {
  ip.fragmentId = readU16(packet, 4);
  ip.fragmentOffset = (fragment & 0x1fff) * 8;
  ip.moreFragments = (fragment & 0x2000) !== 0;
}

function parseIpv6(packet: Uint8Array, size: number, ip: IpHeader): DropReason | undefined {
  if (size < 40) return "ip-short";
  const end = 40 + readU16(packet, 4);
  if (end > size) return "ip-short";
  ip.version = 6;
  ip.trafficClass = ((packet[0]! & 15) << 4) | (packet[1]! >>> 4);
  ip.hopLimit = packet[7]!;
  ip.s0 = readI32(packet, 8);
  ip.s1 = readI32(packet, 12);
  ip.s2 = readI32(packet, 16);
  ip.s3 = readI32(packet, 20);
  ip.d0 = readI32(packet, 24);
  ip.d1 = readI32(packet, 28);
  ip.d2 = readI32(packet, 32);
  ip.d3 = readI32(packet, 36);
  // Mapped addresses must not appear on the wire (RFC 4038 4.2); here they would be mistaken for
  // IPv4.
  if (isMapped(ip.s0, ip.s1, ip.s2) || isMapped(ip.d0, ip.d1, ip.d2)) return "ip-source";
  ip.payloadEnd = end;
  return readExtensionHeaders(packet, end, ip);
}

function isMapped(w0: number, w1: number, w2: number): boolean {
  return w0 === 0 && w1 === 0 && w2 === 0xffff;
}

/** Header fields for {@link emitIp}, besides the addresses. */
export interface IpFields {
  protocol: number;
  /** Bytes after the IP header. */
  payloadLength: number;
  /** 1 to 255. */
  hopLimit: number;
  /** DSCP and ECN. */
  trafficClass: number;
  /** IPv4 identification; any value will do for atomic datagrams (RFC 6864 4.1). */
  identification: number;
}

/** Length of the header that `emitIp` writes for this family: 20 or 40. */
export function ipHeaderLength(address: IpAddress): number {
  return address.isV4 ? 20 : 40;
}

/** Writes a header at `at`, with DF set in IPv4; returns its length, 20 or 40. */
export function emitIp(
  bytes: Uint8Array,
  at: number,
  source: IpAddress,
  destination: IpAddress,
  fields: IpFields,
): number {
  return source.isV4
    ? emitIpv4(bytes, at, source, destination, fields)
    : emitIpv6(bytes, at, source, destination, fields);
}

function emitIpv4(
  bytes: Uint8Array,
  at: number,
  source: IpAddress,
  destination: IpAddress,
  fields: IpFields,
): number {
  bytes[at] = 0x45;
  bytes[at + 1] = fields.trafficClass;
  writeU16(bytes, at + 2, fields.payloadLength + 20);
  writeU16(bytes, at + 4, fields.identification);
  writeU16(bytes, at + 6, 0x4000);
  bytes[at + 8] = fields.hopLimit;
  bytes[at + 9] = fields.protocol;
  writeU32(bytes, at + 12, source.w3);
  writeU32(bytes, at + 16, destination.w3);
  writeHeaderChecksum(bytes, at, 20);
  return 20;
}

/** Computes and writes the checksum of the IPv4 header of `length` bytes at `at`. */
export function writeHeaderChecksum(bytes: Uint8Array, at: number, length: number): void {
  writeU16(bytes, at + 10, 0);
  writeU16(bytes, at + 10, finish(addBytes(0, bytes, at, at + length)));
}

function emitIpv6(
  bytes: Uint8Array,
  at: number,
  source: IpAddress,
  destination: IpAddress,
  fields: IpFields,
): number {
  bytes[at] = 0x60 | (fields.trafficClass >>> 4);
  bytes[at + 1] = (fields.trafficClass & 15) << 4;
  writeU16(bytes, at + 2, 0);
  writeU16(bytes, at + 4, fields.payloadLength);
  bytes[at + 6] = fields.protocol;
  bytes[at + 7] = fields.hopLimit;
  source.write(bytes, at + 8);
  destination.write(bytes, at + 24);
  return 40;
}
