/**
 * TCP options: MSS (RFC 9293 3.7.1), window scale and timestamps (RFC 7323), SACK (RFC 2018).
 *
 * @module
 */
import { readI32, readU16, writeU16, writeU32 } from "./bytes.ts";

const KIND = { END: 0, NOP: 1, MSS: 2, WINDOW_SCALE: 3, SACK_PERMITTED: 4, SACK: 5, TIMESTAMPS: 8 };

/** `NOP NOP TIMESTAMPS 10`, the first four bytes of nearly every segment's options. */
const ALIGNED_TIMESTAMPS = 0x0101080a;

/** Length of the timestamps option with its padding. */
export const TIMESTAMPS_LENGTH = 12;

/** Length of the SACK option up to its first block, padding included. */
export const SACK_HEADER = 4;

/** Maximum number of SACK blocks that fit in the options (RFC 2018 3). */
const MAX_SACK_BLOCKS = 4;

/** The options of a received segment. */
export interface SegmentOptions {
  /** MSS option; 0 if absent (RFC 9293 3.7.1). */
  mss: number;
  /** Shift count; -1 if absent (RFC 7323 2). */
  windowScale: number;
  sackPermitted: boolean;
  hasTimestamps: boolean;
  tsVal: number;
  tsEcr: number;
  /** Number of blocks in `sackStarts` and `sackEnds` (RFC 2018 3). */
  sackCount: number;
  readonly sackStarts: number[];
  readonly sackEnds: number[];
}

/**
 * Parses `packet[start, end)` into the segment. Parsing stops at an option with an invalid length.
 */
export function parseTcpOptions(
  packet: Uint8Array,
  start: number,
  end: number,
  segment: SegmentOptions,
): void {
  segment.mss = 0;
  segment.windowScale = -1;
  segment.sackPermitted = false;
  segment.hasTimestamps = false;
  segment.sackCount = 0;
  if (start === end) return;
  if (end - start === TIMESTAMPS_LENGTH && readI32(packet, start) === ALIGNED_TIMESTAMPS) {
    takeTimestamps(packet, start + 4, segment);
    return;
  }
  let at = start;
  while (at < end) {
    const kind = packet[at]!;
    if (kind === KIND.END) return;
    if (kind === KIND.NOP) {
      at++;
      continue;
    }
    // RFC 9293 3.1, MUST-7: an invalid length must not cause a hang or crash.
    const length = at + 1 < end ? packet[at + 1]! : 0;
    if (length < 2 || at + length > end) return;
    takeOption(packet, kind, at + 2, length - 2, segment);
    at += length;
  }
}

function takeOption(
  packet: Uint8Array,
  kind: number,
  at: number,
  length: number,
  segment: SegmentOptions,
): void {
  if (kind === KIND.MSS && length === 2) segment.mss = readU16(packet, at);
  else if (kind === KIND.WINDOW_SCALE && length === 1) segment.windowScale = packet[at]!;
  else if (kind === KIND.SACK_PERMITTED && length === 0) segment.sackPermitted = true;
  else if (kind === KIND.TIMESTAMPS && length === 8) takeTimestamps(packet, at, segment);
  else if (kind === KIND.SACK && length % 8 === 0) takeSack(packet, at, length / 8, segment);
}

function takeTimestamps(packet: Uint8Array, at: number, segment: SegmentOptions): void {
  segment.hasTimestamps = true;
  segment.tsVal = readI32(packet, at);
  segment.tsEcr = readI32(packet, at + 4);
}

function takeSack(packet: Uint8Array, at: number, count: number, segment: SegmentOptions): void {
  segment.sackCount = Math.min(count, MAX_SACK_BLOCKS);
  for (let i = 0; i < segment.sackCount; i++) {
    segment.sackStarts[i] = readI32(packet, at + i * 8);
    segment.sackEnds[i] = readI32(packet, at + i * 8 + 4);
  }
}

/** Options of a SYN or SYN,ACK. */
export interface SynOptions {
  mss: number;
  /** -1: not offered. */
  windowScale: number;
  sackPermitted: boolean;
  timestamps: boolean;
  tsVal: number;
  tsEcr: number;
}

/** Writes the options of a SYN at `at`; returns their length, a multiple of 4. */
export function emitSynOptions(bytes: Uint8Array, at: number, options: SynOptions): number {
  let end = at;
  bytes[end] = KIND.MSS;
  bytes[end + 1] = 4;
  writeU16(bytes, end + 2, options.mss);
  end += 4;
  if (options.timestamps) {
    end += emitTimestamps(bytes, end, options.tsVal, options.tsEcr);
  }
  if (options.sackPermitted) {
    writeU16(bytes, end, 0x0101);
    bytes[end + 2] = KIND.SACK_PERMITTED;
    bytes[end + 3] = 2;
    end += 4;
  }
  if (options.windowScale >= 0) {
    bytes[end] = KIND.NOP;
    bytes[end + 1] = KIND.WINDOW_SCALE;
    bytes[end + 2] = 3;
    bytes[end + 3] = options.windowScale;
    end += 4;
  }
  return end - at;
}

/** Writes the timestamps option; returns {@link TIMESTAMPS_LENGTH}. */
export function emitTimestamps(
  bytes: Uint8Array,
  at: number,
  tsVal: number,
  tsEcr: number,
): number {
  writeU32(bytes, at, ALIGNED_TIMESTAMPS);
  writeU32(bytes, at + 4, tsVal);
  writeU32(bytes, at + 8, tsEcr);
  return TIMESTAMPS_LENGTH;
}

/** Writes SACK blocks given as pairs of sequence numbers; returns the length. */
export function emitSack(bytes: Uint8Array, at: number, blocks: readonly number[]): number {
  writeU16(bytes, at, 0x0101);
  bytes[at + 2] = KIND.SACK;
  bytes[at + 3] = 2 + blocks.length * 4;
  for (let i = 0; i < blocks.length; i++) writeU32(bytes, at + 4 + i * 4, blocks[i]!);
  return SACK_HEADER + blocks.length * 4;
}
