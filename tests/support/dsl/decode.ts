/**
 * Decodes and checks packets of the stack, independently of its own parsers: lengths, checksums,
 * reserved bits and padding.
 *
 * @module
 */
import { textOf } from "./addresses.ts";
import { onesComplementSum, pseudoHeader, type TcpOptions } from "./encode.ts";

/** A TCP segment sent by the stack; sequence numbers as on the wire. */
export interface SentSegment {
  readonly protocol: "tcp";
  readonly source: string;
  readonly destination: string;
  readonly sourcePort: number;
  readonly destinationPort: number;
  readonly seq: number;
  readonly ack: number;
  readonly flags: number;
  readonly window: number;
  readonly options: TcpOptions;
  readonly text: Uint8Array;
  readonly hopLimit: number;
  readonly trafficClass: number;
  /** Length of the IP packet, in bytes. */
  readonly size: number;
}

/** An ICMP or ICMPv6 message sent by the stack. */
export interface SentMessage {
  readonly protocol: "icmp";
  readonly source: string;
  readonly destination: string;
  readonly type: number;
  readonly code: number;
  /** The four bytes after the checksum. */
  readonly rest: number;
  readonly body: Uint8Array;
  readonly size: number;
}

/** Decodes a packet. Throws if it is invalid. */
export function decode(packet: Uint8Array): SentSegment | SentMessage {
  const version = packet[0]! >> 4;
  must(version === 4 || version === 6, `IP version ${version}`);
  const ip = version === 4 ? decodeV4(packet) : decodeV6(packet);
  const payload = packet.subarray(version === 4 ? 20 : 40);
  if (ip.protocol === 6) return { ...decodeTcp(ip, payload), size: packet.length };
  must(ip.protocol === (version === 4 ? 1 : 58), `IP protocol ${ip.protocol}`);
  return { ...decodeIcmp(ip, payload, version === 6), size: packet.length };
}

interface Ip {
  source: string;
  destination: string;
  protocol: number;
  hopLimit: number;
  trafficClass: number;
}

function decodeV4(packet: Uint8Array): Ip {
  const view = viewOf(packet);
  must(packet[0] === 0x45, "an IPv4 header without options");
  must(view.getUint16(2) === packet.length, "IPv4 total length");
  must(view.getUint16(6) === 0x4000, "DF alone among the flags and a fragment offset of 0");
  must(onesComplementSum(packet.subarray(0, 20)) === 0xffff, "IPv4 header checksum");
  return {
    source: textOf(packet.subarray(12, 16)),
    destination: textOf(packet.subarray(16, 20)),
    protocol: packet[9]!,
    hopLimit: packet[8]!,
    trafficClass: packet[1]!,
  };
}

function decodeV6(packet: Uint8Array): Ip {
  const view = viewOf(packet);
  must(view.getUint16(4) === packet.length - 40, "IPv6 payload length");
  return {
    source: textOf(packet.subarray(8, 24)),
    destination: textOf(packet.subarray(24, 40)),
    protocol: packet[6]!,
    hopLimit: packet[7]!,
    trafficClass: (view.getUint16(0) >> 4) & 255,
  };
}

function decodeTcp(ip: Ip, segment: Uint8Array): Omit<SentSegment, "size"> {
  const view = viewOf(segment);
  const headerLength = (segment[12]! >> 4) * 4;
  must(headerLength >= 20 && headerLength <= segment.length, `data offset ${headerLength}`);
  must((segment[12]! & 15) === 0, "reserved bits are zero");
  const pseudo = pseudoHeader(ip.source, ip.destination, 6, segment.length);
  must(onesComplementSum(pseudo, segment) === 0xffff, "TCP checksum");
  must(view.getUint16(18) === 0, "urgent pointer is zero");
  const flags = segment[13]!;
  must((flags & 16) !== 0 || view.getUint32(8) === 0, "no ACK number without the ACK bit");
  return {
    protocol: "tcp",
    source: ip.source,
    destination: ip.destination,
    sourcePort: view.getUint16(0),
    destinationPort: view.getUint16(2),
    seq: view.getUint32(4),
    ack: view.getUint32(8),
    flags,
    window: view.getUint16(14),
    options: decodeOptions(segment.subarray(20, headerLength)),
    text: segment.slice(headerLength),
    hopLimit: ip.hopLimit,
    trafficClass: ip.trafficClass,
  };
}

function decodeIcmp(ip: Ip, message: Uint8Array, isV6: boolean): Omit<SentMessage, "size"> {
  const pseudo = isV6
    ? pseudoHeader(ip.source, ip.destination, 58, message.length)
    : new Uint8Array(0);
  must(onesComplementSum(pseudo, message) === 0xffff, "ICMP checksum");
  return {
    protocol: "icmp",
    source: ip.source,
    destination: ip.destination,
    type: message[0]!,
    code: message[1]!,
    rest: viewOf(message).getUint32(4),
    body: message.slice(8),
  };
}

function decodeOptions(bytes: Uint8Array): TcpOptions {
  const options: TcpOptions = {};
  const view = viewOf(bytes);
  let at = 0;
  while (at < bytes.length) {
    const kind = bytes[at]!;
    if (kind === 1) {
      at++;
      continue;
    }
    const length = bytes[at + 1]!;
    must(length >= 2 && at + length <= bytes.length, `option ${kind} with length ${length}`);
    if (kind === 2 && length === 4) options.mss = view.getUint16(at + 2);
    else if (kind === 3 && length === 3) options.windowScale = bytes[at + 2]!;
    else if (kind === 4 && length === 2) options.sackPermitted = true;
    else if (kind === 8 && length === 10) {
      options.timestamps = [view.getUint32(at + 2), view.getUint32(at + 6)];
    } else if (kind === 5 && length % 8 === 2) options.sack = decodeSack(view, at + 2, length - 2);
    else must(false, `option ${kind} with length ${length}`);
    at += length;
  }
  return options;
}

function decodeSack(view: DataView, at: number, length: number): [number, number][] {
  return Array.from(
    { length: length / 8 },
    (_, i) => [view.getUint32(at + i * 8), view.getUint32(at + i * 8 + 4)],
  );
}

function viewOf(bytes: Uint8Array): DataView {
  return new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
}

function must(holds: boolean, what: string): asserts holds {
  if (!holds) throw new Error(`the stack sent a malformed packet: ${what}`);
}
