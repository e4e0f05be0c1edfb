/**
 * The TCP header (RFC 9293 3.1): bytes to a {@link Segment} and back.
 *
 * @module
 */
import { readI32, readU16, writeU16, writeU32 } from "./bytes.ts";
import type { DropReason } from "./drop_reason.ts";
import { parseTcpOptions, type SegmentOptions } from "./tcp_options.ts";

/** Control bits, RFC 9293 3.1. */
export const FLAG: {
  readonly FIN: 1;
  readonly SYN: 2;
  readonly RST: 4;
  readonly PSH: 8;
  readonly ACK: 16;
  readonly URG: 32;
  readonly ECE: 64;
  readonly CWR: 128;
} = { FIN: 1, SYN: 2, RST: 4, PSH: 8, ACK: 16, URG: 32, ECE: 64, CWR: 128 };

/**
 * A received segment: header fields, options and the position of its text. The object is reused.
 * Sequence numbers are signed 32-bit integers.
 */
export class Segment implements SegmentOptions {
  sourcePort = 0;
  destinationPort = 0;
  seq = 0;
  ack = 0;
  /** Bits of {@link FLAG}. */
  flags = 0;
  /** As in the header, not scaled. */
  window = 0;
  urgentPointer = 0;
  /** The packet that holds the text, and its position there. */
  packet: Uint8Array = new Uint8Array(0);
  textStart = 0;
  textEnd = 0;
  mss = 0;
  windowScale = -1;
  sackPermitted = false;
  hasTimestamps = false;
  tsVal = 0;
  tsEcr = 0;
  sackCount = 0;
  readonly sackStarts: number[] = [0, 0, 0, 0];
  readonly sackEnds: number[] = [0, 0, 0, 0];
  /** ECN codepoint of the IP header (RFC 3168 5). */
  ecn = 0;
  /** Number of segments merged into this super-packet; otherwise 1. */
  wireSegments = 1;

  get textLength(): number {
    return this.textEnd - this.textStart;
  }

  /** SEG.LEN: text plus SYN and FIN (RFC 9293 3.4). */
  get length(): number {
    return this.textEnd - this.textStart + ((this.flags >> 1) & 1) + (this.flags & 1);
  }

  has(flag: number): boolean {
    return (this.flags & flag) !== 0;
  }
}

/** Parses the segment in `packet[start, end)`; the caller has verified the checksum. */
export function parseTcp(
  packet: Uint8Array,
  start: number,
  end: number,
  segment: Segment,
): DropReason | undefined {
  if (end - start < 20) return "tcp-short";
  const headerLength = (packet[start + 12]! >>> 4) * 4;
  if (headerLength < 20 || headerLength > end - start) return "tcp-offset";
  segment.sourcePort = readU16(packet, start);
  segment.destinationPort = readU16(packet, start + 2);
  if (segment.sourcePort === 0 || segment.destinationPort === 0) return "tcp-port";
  segment.seq = readI32(packet, start + 4);
  segment.ack = readI32(packet, start + 8);
  segment.flags = packet[start + 13]!;
  segment.window = readU16(packet, start + 14);
  segment.urgentPointer = readU16(packet, start + 18);
  segment.packet = packet;
  segment.textStart = start + headerLength;
  segment.textEnd = end;
  parseTcpOptions(packet, start + 20, start + headerLength, segment);
  return undefined;
}

/** Header fields for {@link emitTcpHeader}. */
export interface TcpFields {
  sourcePort: number;
  destinationPort: number;
  seq: number;
  ack: number;
  flags: number;
  /** As in the header. */
  window: number;
  /** Length of the options that follow, a multiple of 4. */
  optionsLength: number;
}

/** Writes the fixed 20 bytes at `at`, with a zero checksum. */
export function emitTcpHeader(bytes: Uint8Array, at: number, fields: TcpFields): void {
  writeU16(bytes, at, fields.sourcePort);
  writeU16(bytes, at + 2, fields.destinationPort);
  writeU32(bytes, at + 4, fields.seq);
  writeU32(bytes, at + 8, fields.ack);
  bytes[at + 12] = (20 + fields.optionsLength) << 2;
  bytes[at + 13] = fields.flags;
  writeU16(bytes, at + 14, fields.window);
  writeU32(bytes, at + 16, 0);
}
