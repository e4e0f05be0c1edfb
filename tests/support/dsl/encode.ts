/**
 * Encodes packets of a peer, independently of the stack's own emitters (RFC 791, RFC 8200, RFC 9293
 * 3.1).
 *
 * @module
 */
import { addressBytes } from "./addresses.ts";

/** TCP options in the order in which they are written. */
export interface TcpOptions {
  mss?: number;
  sackPermitted?: boolean;
  /** TSval and TSecr. */
  timestamps?: readonly [number, number];
  windowScale?: number;
  /** Pairs of sequence numbers. */
  sack?: readonly (readonly [number, number])[];
  /** Raw bytes to append. */
  raw?: readonly number[];
}

/** A TCP segment; sequence numbers as on the wire. */
export interface TcpFields {
  source: string;
  destination: string;
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack: number;
  /** The byte of control bits. */
  flags: number;
  window: number;
  urgentPointer?: number;
  options?: TcpOptions;
  text?: Uint8Array;
  /** Of the IP header, default 0: its low two bits are ECN. */
  trafficClass?: number;
  /** Added to the correct checksum. */
  checksumError?: number;
}

/** Encodes an IP packet with a TCP segment. */
export function encodeTcp(fields: TcpFields): Uint8Array<ArrayBuffer> {
  const { text = new Uint8Array(0) } = fields;
  const options = encodeOptions(fields.options ?? {});
  const segment = new Uint8Array(20 + options.length + text.length);
  const view = new DataView(segment.buffer);
  view.setUint16(0, fields.sourcePort);
  view.setUint16(2, fields.destinationPort);
  view.setUint32(4, fields.seq);
  view.setUint32(8, fields.ack);
  view.setUint8(12, (5 + options.length / 4) << 4);
  view.setUint8(13, fields.flags);
  view.setUint16(14, fields.window);
  view.setUint16(18, fields.urgentPointer ?? 0);
  segment.set(options, 20);
  segment.set(text, 20 + options.length);
  const sum = onesComplementSum(
    pseudoHeader(fields.source, fields.destination, 6, segment.length),
    segment,
  );
  view.setUint16(16, (~sum & 0xffff) + (fields.checksumError ?? 0));
  return encodeIp(fields.source, fields.destination, 6, segment, fields.trafficClass);
}

/** Encodes an IP packet with an ICMP or ICMPv6 message. */
export function encodeIcmp(
  source: string,
  destination: string,
  message: { type: number; code: number; rest: number; body: Uint8Array },
): Uint8Array<ArrayBuffer> {
  const isV6 = source.includes(":");
  const bytes = new Uint8Array(8 + message.body.length);
  const view = new DataView(bytes.buffer);
  view.setUint8(0, message.type);
  view.setUint8(1, message.code);
  view.setUint32(4, message.rest);
  bytes.set(message.body, 8);
  const pseudo = isV6 ? pseudoHeader(source, destination, 58, bytes.length) : new Uint8Array(0);
  view.setUint16(2, ~onesComplementSum(pseudo, bytes) & 0xffff);
  return encodeIp(source, destination, isV6 ? 58 : 1, bytes);
}

/**
 * Encodes an IP packet with a UDP datagram; by default without a checksum over IPv4, with one over
 * IPv6.
 */
export function encodeUdp(
  source: string,
  destination: string,
  sourcePort: number,
  destinationPort: number,
  body: Uint8Array,
  isSummed: boolean = source.includes(":"),
): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(8 + body.length);
  const view = new DataView(bytes.buffer);
  view.setUint16(0, sourcePort);
  view.setUint16(2, destinationPort);
  view.setUint16(4, bytes.length);
  bytes.set(body, 8);
  if (isSummed) {
    const sum = onesComplementSum(pseudoHeader(source, destination, 17, bytes.length), bytes);
    view.setUint16(6, (~sum & 0xffff) || 0xffff);
  }
  return encodeIp(source, destination, 17, bytes);
}

/** Prepends an IPv4 or IPv6 header to `payload`. */
export function encodeIp(
  source: string,
  destination: string,
  protocol: number,
  payload: Uint8Array,
  trafficClass = 0,
): Uint8Array<ArrayBuffer> {
  const from = addressBytes(source);
  const to = addressBytes(destination);
  const headerLength = from.length === 4 ? 20 : 40;
  const packet = new Uint8Array(headerLength + payload.length);
  const view = new DataView(packet.buffer);
  if (from.length === 4) {
    packet.set([0x45, trafficClass, 0, 0, 0x12, 0x34, 0x40, 0, 63, protocol], 0);
    view.setUint16(2, packet.length);
    packet.set(from, 12);
    packet.set(to, 16);
    view.setUint16(10, ~onesComplementSum(packet.subarray(0, 20)) & 0xffff);
  } else {
    packet[0] = 0x60 | (trafficClass >> 4);
    packet[1] = (trafficClass & 15) << 4;
    view.setUint16(4, payload.length);
    packet[6] = protocol;
    packet[7] = 63;
    packet.set(from, 8);
    packet.set(to, 24);
  }
  packet.set(payload, headerLength);
  return packet;
}

/** RFC 9293 3.1, RFC 8200 8.1. */
export function pseudoHeader(
  source: string,
  destination: string,
  protocol: number,
  length: number,
): Uint8Array {
  const from = addressBytes(source);
  const to = addressBytes(destination);
  const tail = from.length === 4
    ? [0, protocol, length >> 8, length & 255]
    : [0, 0, length >> 8, length & 255, 0, 0, 0, protocol];
  return Uint8Array.from([...from, ...to, ...tail]);
}

/** RFC 1071, naively: word by word, the last byte padded with zero. */
export function onesComplementSum(...pieces: readonly Uint8Array[]): number {
  let sum = 0;
  for (const piece of pieces) {
    for (let i = 0; i < piece.length; i += 2) {
      sum += (piece[i]! << 8) | (piece[i + 1] ?? 0);
      if (sum > 0xffff) sum -= 0xffff;
    }
  }
  return sum;
}

function encodeOptions(options: TcpOptions): Uint8Array {
  const bytes: number[] = [];
  if (options.mss !== undefined) bytes.push(2, 4, options.mss >> 8, options.mss & 255);
  if (options.sackPermitted) bytes.push(4, 2);
  if (options.timestamps) {
    bytes.push(8, 10, ...word(options.timestamps[0]), ...word(options.timestamps[1]));
  }
  if (options.windowScale !== undefined) bytes.push(3, 3, options.windowScale);
  if (options.sack) {
    bytes.push(5, 2 + options.sack.length * 8);
    for (const [start, end] of options.sack) bytes.push(...word(start), ...word(end));
  }
  bytes.push(...options.raw ?? []);
  while (bytes.length % 4 !== 0) bytes.push(1);
  return Uint8Array.from(bytes);
}

function word(value: number): number[] {
  return [value >>> 24, (value >>> 16) & 255, (value >>> 8) & 255, value & 255];
}
