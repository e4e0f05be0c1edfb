/**
 * Blocks of the pcapng format (draft-ietf-opsawg-pcapng), in little-endian order.
 *
 * @module
 */
import { concatenate } from "../../../../core/wire/bytes.ts";

type Bytes = Uint8Array<ArrayBuffer>;

const SECTION_HEADER = 0x0a0d0d0a;
const INTERFACE_DESCRIPTION = 1;
const INTERFACE_STATISTICS = 5;
const ENHANCED_PACKET = 6;
const BYTE_ORDER_MAGIC = 0x1a2b3c4d;
/** Packets start with the IP header. */
const LINKTYPE_RAW = 101;

const OPTION = {
  comment: 1,
  shbUserApplication: 4,
  ifName: 2,
  ifTimestampResolution: 9,
  epbFlags: 2,
  isbEndTime: 3,
  isbReceived: 4,
  isbDropped: 5,
};
/** Resolution of timestamps: 10^-9 seconds. */
const NANOSECONDS = 9;

/** Length of an enhanced packet block up to the packet. */
const PACKET_START = 28;
/** `epb_flags` with its header, the end of the options, and the block's length once more. */
const PACKET_TAIL = 8 + 4 + 4;

/** Direction of a packet. */
export type Direction = "in" | "out";

/** The start of a file: a section header block and the descriptions of its interfaces. */
export function fileHeader(...interfaceNames: readonly string[]): Bytes {
  const section = new Uint8Array(16);
  const view = new DataView(section.buffer);
  view.setUint32(0, BYTE_ORDER_MAGIC, true);
  view.setUint16(4, 1, true); // major version; the minor is 0
  view.setBigInt64(8, -1n, true); // section length unknown
  const description = new Uint8Array(8); // snap length unlimited
  new DataView(description.buffer).setUint16(0, LINKTYPE_RAW, true);
  return concatenate([
    block(SECTION_HEADER, [section, textOption(OPTION.shbUserApplication, "berth"), END]),
    ...interfaceNames.map((name) =>
      block(INTERFACE_DESCRIPTION, [
        description,
        textOption(OPTION.ifName, name),
        option(OPTION.ifTimestampResolution, new Uint8Array([NANOSECONDS])),
        END,
      ])
    ),
  ]);
}

/** An interface statistics block: the packets received up to `ms` since 1970, and those missing from the recording. */
export function interfaceStatistics(ms: number, received: number, dropped: number): Bytes {
  const start = new Uint8Array(12); // interface 0
  const view = new DataView(start.buffer);
  const stamp = nanoseconds(ms);
  view.setUint32(4, Number(stamp >> 32n), true);
  view.setUint32(8, Number(stamp & 0xffffffffn), true);
  return block(INTERFACE_STATISTICS, [
    start,
    option(OPTION.isbEndTime, start.slice(4)),
    countOption(OPTION.isbReceived, received),
    countOption(OPTION.isbDropped, dropped),
    END,
  ]);
}

/** Renumbers the interface of whole blocks from 0 to `id`, for a file with several interfaces. */
export function setInterface(blocks: Bytes, id: number): void {
  const view = new DataView(blocks.buffer, blocks.byteOffset, blocks.length);
  for (let at = 0; at + 12 <= blocks.length; at += view.getUint32(at + 4, true)) {
    const type = view.getUint32(at, true);
    if (type === ENHANCED_PACKET || type === INTERFACE_STATISTICS) view.setUint32(at + 8, id, true);
  }
}

/** The parsed part of a block: its type, and the counters of interface statistics. */
export interface BlockInfo {
  readonly type: "packet" | "statistics" | "other";
  readonly bytes: Bytes;
  /** Of an interface: its number, and the packets missing from the recording. */
  readonly interfaceId: number;
  readonly dropped: number;
}

/** Length of the block that begins with `bytes`; `undefined` if more bytes are needed. */
export function blockLength(bytes: Uint8Array): number | undefined {
  if (bytes.length < 8) return undefined;
  return new DataView(bytes.buffer, bytes.byteOffset).getUint32(4, true);
}

/** Reads a block that {@link packetBlock}, {@link interfaceStatistics} or {@link fileHeader} has made. */
export function readBlock(bytes: Bytes): BlockInfo {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.length);
  const type = view.getUint32(0, true);
  if (type !== ENHANCED_PACKET && type !== INTERFACE_STATISTICS) {
    return { type: "other", bytes, interfaceId: 0, dropped: 0 };
  }
  const interfaceId = view.getUint32(8, true);
  if (type === ENHANCED_PACKET) return { type: "packet", bytes, interfaceId, dropped: 0 };
  // The options are written in this order: end time, received, dropped.
  const dropped = Number(view.getBigUint64(20 + 12 + 12 + 4, true));
  return { type: "statistics", bytes, interfaceId, dropped };
}

/** An enhanced packet block, with space for the packet at `PacketBlock.at`. */
export interface PacketBlock {
  readonly bytes: Bytes;
  readonly at: number;
}

/**
 * Creates the block for a packet of `size` bytes captured at `ms` since 1970; the caller copies the
 * packet into it.
 */
export function packetBlock(
  size: number,
  ms: number,
  direction: Direction,
  comment: string | undefined,
): PacketBlock {
  const remark = comment === undefined ? NOTHING : textOption(OPTION.comment, comment);
  const optionsAt = PACKET_START + padded(size);
  const bytes = new Uint8Array(optionsAt + remark.length + PACKET_TAIL);
  const view = new DataView(bytes.buffer);
  const stamp = nanoseconds(ms);
  view.setUint32(0, ENHANCED_PACKET, true);
  view.setUint32(4, bytes.length, true);
  view.setUint32(12, Number(stamp >> 32n), true);
  view.setUint32(16, Number(stamp & 0xffffffffn), true);
  view.setUint32(20, size, true);
  view.setUint32(24, size, true);
  view.setUint16(optionsAt, OPTION.epbFlags, true);
  view.setUint16(optionsAt + 2, 4, true);
  view.setUint32(optionsAt + 4, direction === "in" ? 1 : 2, true);
  bytes.set(remark, optionsAt + 8);
  view.setUint32(bytes.length - 4, bytes.length, true);
  return { bytes, at: PACKET_START };
}

const NOTHING = new Uint8Array(0);
/** `opt_endofopt`. */
const END = new Uint8Array(4);

function nanoseconds(ms: number): bigint {
  const whole = Math.floor(ms);
  return BigInt(whole) * 1_000_000n + BigInt(Math.floor((ms - whole) * 1e6));
}

function block(type: number, parts: readonly Bytes[]): Bytes {
  const edge = new Uint8Array(8);
  const body = concatenate([edge, ...parts, edge.subarray(0, 4)]);
  const view = new DataView(body.buffer);
  view.setUint32(0, type, true);
  view.setUint32(4, body.length, true);
  view.setUint32(body.length - 4, body.length, true);
  return body;
}

function textOption(code: number, text: string): Bytes {
  return option(code, new TextEncoder().encode(text).slice(0, MAX_TEXT));
}

function countOption(code: number, count: number): Bytes {
  const bytes = new Uint8Array(8);
  new DataView(bytes.buffer).setBigUint64(0, BigInt(count), true);
  return option(code, bytes);
}

/** Maximum length of a comment, far below the 65,535 bytes of an option. */
const MAX_TEXT = 1024;

function option(code: number, value: Bytes): Bytes {
  const bytes = new Uint8Array(4 + padded(value.length));
  const view = new DataView(bytes.buffer);
  view.setUint16(0, code, true);
  view.setUint16(2, value.length, true);
  bytes.set(value, 4);
  return bytes;
}

function padded(length: number): number {
  return (length + 3) & ~3;
}
