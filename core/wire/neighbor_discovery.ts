/**
 * Neighbor Discovery (RFC 4861): solicitations and advertisements.
 *
 * @module
 */
import { IpAddress } from "./address.ts";
import { writeU16 } from "./bytes.ts";
import { addBytes, finish, pseudoHeaderSum } from "./checksum.ts";
import { readMac, writeMac } from "./ethernet.ts";
import { emitIcmpHeader } from "./icmp.ts";
import { emitIp, type IpHeader, payloadChecksumHolds, PROTOCOL } from "./ip.ts";

/** ICMPv6 types. */
const SOLICITATION = 135;
const ADVERTISEMENT = 136;

const SOURCE_LINK_ADDRESS = 1;
const TARGET_LINK_ADDRESS = 2;

/** RFC 4861 4.4: the flags of an advertisement. */
const SOLICITED = 0x4000_0000;
const OVERRIDE = 0x2000_0000;

/** RFC 4861 7.1: a lower hop limit shows that the packet was forwarded by a router. */
const HOP_LIMIT = 255;
const IP_HEADER = 40;
/** Type, code, checksum, flags and target. */
const FIXED = 24;

/** `ff02::1`. */
export const ALL_NODES: IpAddress = new IpAddress(0xff02_0000, 0, 0, 1);

/** A message; the object is reused. */
export class NeighborMessage {
  /** True for a solicitation, false for an advertisement. */
  isSolicitation = false;
  /** The address that is being resolved or announced. */
  target: IpAddress = IpAddress.ANY_V6;
  /** The source or target link-layer address option, whichever this message carries; -1: none. */
  mac = -1;
  /** The advertisement answers a solicitation. */
  solicited = false;
  /** The advertisement overrides a cached link-layer address. */
  override = false;
}

/** Whether an IPv6 packet is one of these messages. */
export function isNeighborMessage(packet: Uint8Array, start: number, end: number): boolean {
  if (end - start < IP_HEADER + FIXED || packet[start + 6] !== PROTOCOL.ICMPV6) return false;
  const type = packet[start + IP_HEADER];
  return type === SOLICITATION || type === ADVERTISEMENT;
}

/**
 * Parses a message; false if it is invalid according to RFC 4861 7.1. `ip` is the header at offset
 * 0 of `packet`.
 */
export function parseNeighborMessage(
  packet: Uint8Array,
  ip: IpHeader,
  message: NeighborMessage,
): boolean {
  const { payloadStart: at, payloadEnd: end } = ip;
  if (ip.protocol !== PROTOCOL.ICMPV6 || ip.isFragment || end - at < FIXED) return false;
  if (ip.hopLimit !== HOP_LIMIT || packet[at + 1] !== 0) return false;
  if (!payloadChecksumHolds(ip, packet)) return false;
  message.isSolicitation = packet[at] === SOLICITATION;
  message.target = IpAddress.readV6(packet, at + 8);
  message.solicited = (packet[at + 4]! & 0x40) !== 0;
  message.override = (packet[at + 4]! & 0x20) !== 0;
  if (message.target.isMulticast || !readOptions(packet, at + FIXED, end, message)) return false;
  return message.isSolicitation
    ? isValidSolicitation(ip, message)
    : !(message.solicited && ip.d0 >>> 24 === 0xff);
}

/**
 * RFC 4861 7.1.1: from the unspecified address, the destination must be a solicited-node address
 * and there must be no source link-layer address.
 */
function isValidSolicitation(
  { s0, s1, s2, s3, d0, d1, d2, d3 }: IpHeader,
  message: NeighborMessage,
) {
  if ((s0 | s1 | s2 | s3) !== 0) return true;
  return message.mac < 0 && d0 === (0xff02_0000 | 0) && d1 === 0 && d2 === 1 && d3 >>> 24 === 0xff;
}

function readOptions(
  packet: Uint8Array,
  start: number,
  end: number,
  message: NeighborMessage,
): boolean {
  const wanted = message.isSolicitation ? SOURCE_LINK_ADDRESS : TARGET_LINK_ADDRESS;
  message.mac = -1;
  for (let at = start; at < end;) {
    const length = (packet[at + 1] ?? 0) * 8;
    if (length === 0 || at + length > end) return false;
    if (packet[at] === wanted && length === 8) message.mac = readMac(packet, at + 2);
    at += length;
  }
  return true;
}

/** The solicited-node multicast address of `target` (RFC 4291 2.7.1). */
export function solicitedNode(target: IpAddress): IpAddress {
  return new IpAddress(0xff02_0000, 0, 1, 0xff00_0000 | (target.w3 & 0xff_ffff));
}

/**
 * Writes a neighbor solicitation for `target`, with `mac` as source link-layer address unless it is
 * -1; returns the length of the packet.
 */
export function emitSolicitation(
  bytes: Uint8Array,
  at: number,
  source: IpAddress,
  destination: IpAddress,
  target: IpAddress,
  mac: number,
): number {
  return emit(bytes, at, source, destination, {
    type: SOLICITATION,
    flags: 0,
    target,
    option: SOURCE_LINK_ADDRESS,
    mac,
  });
}

/**
 * Writes a neighbor advertisement of `mac` for `target`; it is solicited unless `destination` is
 * multicast. Returns the length of the packet.
 */
export function emitAdvertisement(
  bytes: Uint8Array,
  at: number,
  destination: IpAddress,
  target: IpAddress,
  mac: number,
): number {
  return emit(bytes, at, target, destination, {
    type: ADVERTISEMENT,
    flags: OVERRIDE | (destination.isMulticast ? 0 : SOLICITED),
    target,
    option: TARGET_LINK_ADDRESS,
    mac,
  });
}

/** The differences between the two messages. */
interface SentMessage {
  readonly type: number;
  readonly flags: number;
  readonly target: IpAddress;
  /** Type of the option that carries `mac`. */
  readonly option: number;
  /** -1: no option. */
  readonly mac: number;
}

function emit(
  bytes: Uint8Array,
  at: number,
  source: IpAddress,
  destination: IpAddress,
  { type, flags, target, option, mac }: SentMessage,
): number {
  const length = mac < 0 ? FIXED : FIXED + 8;
  emitIp(bytes, at, source, destination, {
    protocol: PROTOCOL.ICMPV6,
    payloadLength: length,
    hopLimit: HOP_LIMIT,
    trafficClass: 0,
    identification: 0,
  });
  const start = at + IP_HEADER;
  emitIcmpHeader(bytes, start, type, 0, flags);
  target.write(bytes, start + 8);
  if (mac >= 0) {
    bytes[start + FIXED] = option;
    bytes[start + FIXED + 1] = 1;
    writeMac(bytes, start + FIXED + 2, mac);
  }
  const sum = pseudoHeaderSum(source, destination, PROTOCOL.ICMPV6, length);
  writeU16(bytes, start + 2, finish(addBytes(sum, bytes, start, start + length)));
  return IP_HEADER + length;
}
