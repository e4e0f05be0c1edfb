/**
 * Builds packets that belong to no connection: RSTs, echo replies and ICMP errors.
 *
 * @module
 */
import { IpAddress } from "../wire/address.ts";
import { writeU16 } from "../wire/bytes.ts";
import { addBytes, finish, pseudoHeaderSum } from "../wire/checksum.ts";
import { echoReplyType, emitIcmpHeader, type Unreachable, unreachableCode } from "../wire/icmp.ts";
import {
  type AnsweredHeader,
  emitIp,
  type IpHeader,
  ipHeaderLength,
  PROTOCOL,
} from "../wire/ip.ts";
import { emitTcpHeader, FLAG, type Segment } from "../wire/tcp.ts";

/** Maximum length of an ICMP error with its quoted packet (RFC 1812 4.3.2.3, RFC 4443 2.4). */
const MAX_ERROR_LENGTH = { 4: 576, 6: 1280 } as const;

export type Packet = Uint8Array<ArrayBuffer>;

/** The source address of a received packet. */
export function sourceOf(ip: AnsweredHeader): IpAddress {
  return new IpAddress(ip.s0, ip.s1, ip.s2, ip.s3);
}

export function destinationOf(ip: AnsweredHeader): IpAddress {
  return new IpAddress(ip.d0, ip.d1, ip.d2, ip.d3);
}

/** The RST in response to a segment without a connection (RFC 9293 3.10.7.1). */
export function resetFor(ip: IpHeader, segment: Segment, hopLimit: number): Packet {
  const hasAck = segment.has(FLAG.ACK);
  const packet = start(ip, PROTOCOL.TCP, 20, hopLimit);
  const at = packet.length - 20;
  emitTcpHeader(packet, at, {
    sourcePort: segment.destinationPort,
    destinationPort: segment.sourcePort,
    seq: hasAck ? segment.ack : 0,
    ack: hasAck ? 0 : segment.seq + segment.length,
    flags: hasAck ? FLAG.RST : FLAG.RST | FLAG.ACK,
    window: 0,
    optionsLength: 0,
  });
  const sum = pseudoHeaderSum(destinationOf(ip), sourceOf(ip), PROTOCOL.TCP, 20);
  writeU16(packet, at + 16, finish(addBytes(sum, packet, at, packet.length)));
  return packet;
}

/** The echo reply to an echo request (RFC 792, RFC 4443 4.2). */
export function echoReply(ip: IpHeader, packet: Uint8Array, hopLimit: number): Packet {
  const length = ip.payloadEnd - ip.payloadStart;
  const reply = start(ip, icmpProtocol(ip), length, hopLimit);
  const at = reply.length - length;
  reply.set(packet.subarray(ip.payloadStart, ip.payloadEnd), at);
  reply[at] = echoReplyType(ip.version);
  return completeIcmp(ip, reply, at);
}

/** The unreachable error about `packet` (RFC 1122 3.2.2.1, RFC 4443 3.1). */
export function unreachable(
  ip: AnsweredHeader,
  packet: Uint8Array,
  what: Unreachable,
  hopLimit: number,
): Packet {
  const { type, code } = unreachableCode(ip.version, what);
  // A parameter problem points at the next-header field (RFC 4443 3.4).
  return icmpError(ip, packet, { type, code, rest: type === 4 ? ip.nextHeaderAt : 0 }, hopLimit);
}

/**
 * An ICMP error that quotes the beginning of `packet`; `rest` is the four bytes after the checksum.
 */
export function icmpError(
  ip: AnsweredHeader,
  packet: Uint8Array,
  error: { readonly type: number; readonly code: number; readonly rest: number },
  hopLimit: number,
): Packet {
  const quoted = Math.min(
    ip.payloadEnd,
    MAX_ERROR_LENGTH[ip.version] - (ip.version === 4 ? 20 : 40) - 8,
  );
  const reply = start(ip, icmpProtocol(ip), 8 + quoted, hopLimit);
  const at = reply.length - 8 - quoted;
  emitIcmpHeader(reply, at, error.type, error.code, error.rest);
  reply.set(packet.subarray(0, quoted), at + 8);
  return completeIcmp(ip, reply, at);
}

function icmpProtocol(ip: AnsweredHeader): number {
  return ip.version === 4 ? PROTOCOL.ICMP : PROTOCOL.ICMPV6;
}

function start(
  ip: AnsweredHeader,
  protocol: number,
  payloadLength: number,
  hopLimit: number,
): Packet {
  const local = destinationOf(ip);
  const packet = new Uint8Array(ipHeaderLength(local) + payloadLength);
  emitIp(packet, 0, local, sourceOf(ip), {
    protocol,
    payloadLength,
    hopLimit,
    trafficClass: 0,
    identification: 0,
  });
  return packet;
}

function completeIcmp(ip: AnsweredHeader, packet: Packet, at: number): Packet {
  const length = packet.length - at;
  // Only the checksum of ICMPv6 covers a pseudo-header (RFC 4443 2.3).
  const sum = ip.version === 4
    ? 0
    : pseudoHeaderSum(destinationOf(ip), sourceOf(ip), PROTOCOL.ICMPV6, length);
  writeU16(packet, at + 2, 0);
  writeU16(packet, at + 2, finish(addBytes(sum, packet, at, packet.length)));
  return packet;
}
