/**
 * Divides TCP super-packets that do not fit into a datagram.
 *
 * @module
 */
import { readU32, writeU16, writeU32 } from "../../wire/bytes.ts";
import { type IpHeader, writeHeaderChecksum } from "../../wire/ip.ts";
import { FLAG } from "../../wire/tcp.ts";

/** Largest packet in a message, in bytes. A datagram has room for 65,507. */
export const MAX_CARRIED = 32_768;

/** Control bits of the last segment, and of the first (RFC 3168 6.1.2). */
const LAST_ONLY = FLAG.FIN | FLAG.PSH;
const FIRST_ONLY = FLAG.CWR;

/**
 * Divides `packet` into super-packets of at most {@link MAX_CARRIED} bytes. The TCP checksum is not updated: the
 * caller has verified that of the whole. A packet that is small enough, or not a super-packet, is returned unchanged.
 */
export function divideSuperPacket(
  ip: IpHeader,
  packet: Uint8Array,
  segmentSize: number,
): Uint8Array[] {
  const textStart = ip.payloadStart + (packet[ip.payloadStart + 12]! >>> 4) * 4;
  const whole = packet.subarray(0, ip.payloadEnd);
  if (whole.length <= MAX_CARRIED || segmentSize <= 0) return [whole];
  const text = Math.floor((MAX_CARRIED - textStart) / segmentSize) * segmentSize;
  const pieces: Uint8Array[] = [];
  for (let at = textStart; at < whole.length; at += text) {
    const end = Math.min(at + text, whole.length);
    pieces.push(pieceOf(ip, whole, textStart, at, end));
  }
  return pieces;
}

function pieceOf(
  { version, payloadStart }: IpHeader,
  whole: Uint8Array,
  textStart: number,
  from: number,
  to: number,
): Uint8Array {
  const piece = new Uint8Array(textStart + to - from);
  piece.set(whole.subarray(0, textStart));
  piece.set(whole.subarray(from, to), textStart);
  writeU32(piece, payloadStart + 4, readU32(piece, payloadStart + 4) + from - textStart | 0);
  if (to < whole.length) piece[payloadStart + 13]! &= ~LAST_ONLY;
  if (from > textStart) piece[payloadStart + 13]! &= ~FIRST_ONLY;
  if (version === 6) {
    writeU16(piece, 4, piece.length - 40);
  } else {
    writeU16(piece, 2, piece.length);
    writeHeaderChecksum(piece, 0, payloadStart);
  }
  return piece;
}
