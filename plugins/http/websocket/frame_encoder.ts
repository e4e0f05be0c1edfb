/**
 * Encodes WebSocket frames of a server: not masked, not fragmented (RFC 6455 5.2).
 *
 * @module
 */
import { writeU16, writeU32 } from "../../../core/wire/bytes.ts";

/** The opcodes of RFC 6455 5.2. */
export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** The longest header of a frame without a mask. */
export const MAX_HEADER_BYTES = 10;
/** Longest text that is copied character by character. */
const MAX_SHORT_TEXT = 125;

/** Bytes of the header of a frame whose payload has `length` bytes. */
export function headerLength(length: number): number {
  return length < 126 ? 2 : length < 65_536 ? 4 : MAX_HEADER_BYTES;
}

/** Writes a frame with FIN set into `target` at `at`; returns its end. The caller makes room. */
export function putFrame(
  target: Uint8Array,
  at: number,
  opcode: number,
  payload: Uint8Array,
): number {
  const start = putHeader(target, at, opcode, payload.length);
  target.set(payload, start);
  return start + payload.length;
}

/**
 * Writes a text frame into `target` at `at`; returns its end. The caller makes room for
 * {@link MAX_HEADER_BYTES} and three bytes for each character.
 */
export function putTextFrame(target: Uint8Array, at: number, text: string): number {
  const { length } = text;
  if (length <= MAX_SHORT_TEXT && putAscii(target, at + 2, text)) {
    putHeader(target, at, OPCODE.text, length);
    return at + 2 + length;
  }
  const assumed = at + headerLength(length);
  const { written } = encoder.encodeInto(text, target.subarray(assumed));
  // Only text with non-ASCII characters may have a longer header than assumed.
  const start = at + headerLength(written);
  if (start !== assumed) target.copyWithin(start, assumed, assumed + written);
  putHeader(target, at, OPCODE.text, written);
  return start + written;
}

/** The payload of a Close frame; empty without a code. A long reason is truncated (RFC 6455 5.5). */
export function closePayload(code: number | undefined, reason: string): Uint8Array<ArrayBuffer> {
  if (code === undefined) return new Uint8Array(0);
  const payload = new Uint8Array(125);
  writeU16(payload, 0, code);
  // encodeInto() writes whole characters only.
  const { written } = encoder.encodeInto(reason, payload.subarray(2));
  return payload.subarray(0, 2 + written);
}

const encoder = new TextEncoder();

function putHeader(target: Uint8Array, at: number, opcode: number, length: number): number {
  target[at] = 0x80 | opcode;
  if (length < 126) {
    target[at + 1] = length;
  } else if (length < 65_536) {
    target[at + 1] = 126;
    writeU16(target, at + 2, length);
  } else {
    target[at + 1] = 127;
    writeU32(target, at + 2, length / 2 ** 32);
    writeU32(target, at + 6, length);
  }
  return at + headerLength(length);
}

/** Writes `text`; false if it has non-ASCII characters. */
function putAscii(target: Uint8Array, at: number, text: string): boolean {
  let bits = 0;
  for (let i = 0; i < text.length; i++) {
    const code = text.charCodeAt(i);
    target[at + i] = code;
    bits |= code;
  }
  return bits < 0x80;
}
