/**
 * Encodes and decodes IP packets independently of `core/wire`, so that neither hides errors of the
 * other.
 *
 * @module
 */
import { OutgoingPacket } from "../../core/stack/link.ts";
import { IpAddress } from "../../core/wire/address.ts";

/** Source and destination of a packet. */
export interface Route {
  readonly from: string;
  readonly to: string;
}

export const PORT = 4242;
const UDP = 17;
const TCP = 6;
const ICMP = 1;
const ICMPV6 = 58;

/** A UDP packet from and to {@link PORT}; entirely in the header buffer if it fits. */
export function udpPacket(route: Route, payload: Uint8Array): OutgoingPacket {
  const header = new Uint8Array(8);
  const view = new DataView(header.buffer);
  view.setUint16(0, PORT);
  view.setUint16(2, PORT);
  view.setUint16(4, 8 + payload.length);
  view.setUint16(6, transportChecksum(route, UDP, [header, payload]) || 0xffff);
  return compose(route, UDP, header, payload);
}

/** An ICMP or ICMPv6 echo request (RFC 792, RFC 4443 4.1). */
export function echoRequest(route: Route, payload: Uint8Array): OutgoingPacket {
  const isV4 = IpAddress.parse(route.from)!.isV4;
  const header = new Uint8Array([isV4 ? 8 : 128, 0, 0, 0, 0, 1, 0, 1]);
  const checksum = isV4
    ? onesComplement([header, payload])
    : transportChecksum(route, ICMPV6, [header, payload]);
  new DataView(header.buffer).setUint16(2, checksum);
  return compose(route, isV4 ? ICMP : ICMPV6, header, payload);
}

/**
 * A TCP segment from and to {@link PORT} with a partial checksum; a super-packet if it has more
 * than `segmentSize` bytes.
 */
export function tcpPacket(
  route: Route,
  payload: Uint8Array,
  segmentSize = 0,
  flags = 0x10,
): OutgoingPacket {
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  view.setUint16(0, PORT);
  view.setUint16(2, PORT);
  view.setUint32(4, 1000);
  view.setUint16(12, (5 << 12) | flags);
  view.setUint16(14, 1024);
  view.setUint16(16, ~pseudoHeaderChecksum(route, TCP, header.length + payload.length));
  const packet = compose(route, TCP, header, payload);
  packet.checksumPartial = true;
  packet.segmentSize = payload.length > segmentSize ? segmentSize : 0;
  return packet;
}

/** The bytes of a SYN from and to {@link PORT}. */
export function synPacket(route: Route): Uint8Array {
  const { header, headerLength, ipHeaderLength } = tcpPacket(route, new Uint8Array(), 0, 0x02);
  const { HEADROOM } = OutgoingPacket;
  const bytes = header.slice(HEADROOM, HEADROOM + headerLength);
  const segment = bytes.subarray(ipHeaderLength);
  // The checksum field has the sum of the pseudo-header.
  new DataView(segment.buffer, segment.byteOffset).setUint16(16, onesComplement([segment]));
  return bytes;
}

/** Moves a packet's payload so that it wraps from the end to the start of its array. */
export function wrapPayload(packet: OutgoingPacket, first: number): void {
  const { payload, payloadLength } = packet;
  const ring = new Uint8Array(payloadLength + 100);
  ring.set(payload.subarray(0, first), ring.length - first);
  ring.set(payload.subarray(first, payloadLength), 0);
  packet.payload = ring;
  packet.payloadStart = ring.length - first;
  packet.payloadLength = first;
  packet.wrappedLength = payloadLength - first;
}

/** A decoded packet. */
export interface ReadPacket extends Route {
  readonly protocol: number;
  /** The transport header and payload. */
  readonly transport: Uint8Array;
}

/** Decodes a packet; extension headers and fragments are not interpreted. */
export function readPacket(packet: Uint8Array): ReadPacket {
  const isV4 = packet[0]! >>> 4 === 4;
  const [protocol, addresses, size, start] = isV4
    ? [packet[9]!, 12, 4, (packet[0]! & 15) * 4]
    : [packet[6]!, 8, 16, 40];
  const address = (at: number) =>
    (isV4 ? IpAddress.readV4(packet, at) : IpAddress.readV6(packet, at)).toString();
  return {
    from: address(addresses),
    to: address(addresses + size),
    protocol,
    transport: packet.slice(start),
  };
}

/** The payload of a UDP packet to {@link PORT}; `undefined` of any other packet. */
export function udpPayload(packet: Uint8Array): Uint8Array | undefined {
  const { protocol, transport } = readPacket(packet);
  return protocol === UDP && hasPort(transport) ? transport.subarray(8) : undefined;
}

/** The payload of a TCP segment to {@link PORT}; `undefined` of any other packet. */
export function tcpPayload(packet: Uint8Array): Uint8Array | undefined {
  const { protocol, transport } = readPacket(packet);
  return protocol === TCP && hasPort(transport)
    ? transport.subarray((transport[12]! >>> 4) * 4)
    : undefined;
}

/** The identifier, sequence number and data of an echo reply; `undefined` of any other packet. */
export function echoReplyPayload(packet: Uint8Array): Uint8Array | undefined {
  const { protocol, transport } = readPacket(packet);
  const isReply = (protocol === ICMP && transport[0] === 0) ||
    (protocol === ICMPV6 && transport[0] === 129);
  return isReply ? transport.subarray(8) : undefined;
}

/** Whether the transport checksum is complete and correct. */
export function hasRightChecksum(packet: Uint8Array): boolean {
  const { protocol, transport, ...route } = readPacket(packet);
  return transportChecksum(route, protocol, [transport]) === 0;
}

/** `length` bytes of a pattern. */
export function pattern(length: number, seed = 0): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length }, (_, i) => (i * 7 + (i >>> 8) * 13 + seed) & 255);
}

function hasPort(transport: Uint8Array): boolean {
  return ((transport[2]! << 8) | transport[3]!) === PORT;
}

function compose(
  route: Route,
  protocol: number,
  header: Uint8Array,
  payload: Uint8Array,
): OutgoingPacket {
  const packet = new OutgoingPacket();
  const { HEADROOM } = OutgoingPacket;
  const ip = ipHeader(route, protocol, header.length + payload.length);
  packet.header.set(ip, HEADROOM);
  packet.header.set(header, HEADROOM + ip.length);
  packet.ipHeaderLength = ip.length;
  packet.headerLength = ip.length + header.length;
  if (packet.headerLength + payload.length <= packet.header.length - HEADROOM) {
    packet.header.set(payload, HEADROOM + packet.headerLength);
    packet.headerLength += payload.length;
  } else {
    packet.payload = payload.slice();
    packet.payloadLength = payload.length;
  }
  return packet;
}

function ipHeader(route: Route, protocol: number, length: number): Uint8Array {
  const [from, to] = [IpAddress.parse(route.from)!, IpAddress.parse(route.to)!];
  if (!from.isV4) {
    const header = new Uint8Array(40);
    const view = new DataView(header.buffer);
    view.setUint32(0, 0x60000000);
    view.setUint16(4, length);
    header.set([protocol, 64], 6);
    from.write(header, 8);
    to.write(header, 24);
    return header;
  }
  const header = new Uint8Array(20);
  const view = new DataView(header.buffer);
  header[0] = 0x45;
  view.setUint16(2, 20 + length);
  view.setUint16(6, 0x4000); // don't fragment
  header.set([64, protocol], 8);
  from.write(header, 12);
  to.write(header, 16);
  view.setUint16(10, onesComplement([header]));
  return header;
}

function transportChecksum(route: Route, protocol: number, parts: Uint8Array[]): number {
  const length = parts.reduce((sum, part) => sum + part.length, 0);
  return onesComplement([pseudoHeader(route, protocol, length), ...parts]);
}

function pseudoHeaderChecksum(route: Route, protocol: number, length: number): number {
  return onesComplement([pseudoHeader(route, protocol, length)]);
}

function pseudoHeader(route: Route, protocol: number, length: number): Uint8Array {
  const bytes = new Uint8Array(40);
  IpAddress.parse(route.from)!.write(bytes, 0);
  IpAddress.parse(route.to)!.write(bytes, 16);
  const view = new DataView(bytes.buffer);
  view.setUint32(32, length);
  view.setUint32(36, protocol);
  return bytes;
}

/** RFC 1071; all parts but the last are of even length. */
function onesComplement(parts: Uint8Array[]): number {
  let sum = 0;
  for (const part of parts) {
    for (let i = 0; i < part.length; i += 2) sum += (part[i]! << 8) | (part[i + 1] ?? 0);
  }
  while (sum > 0xffff) sum = (sum & 0xffff) + Math.floor(sum / 0x10000);
  return ~sum & 0xffff;
}
