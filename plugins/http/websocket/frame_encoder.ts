/**
 * Encodes WebSocket frames of a server: not masked, not fragmented (RFC 6455 5.2).
 *
 * @module
 */

/** The opcodes of RFC 6455 5.2. */
export const OPCODE = {
  continuation: 0x0,
  text: 0x1,
  binary: 0x2,
  close: 0x8,
  ping: 0x9,
  pong: 0xa,
} as const;

/** A frame with FIN set. */
export function encodeFrame(opcode: number, payload: Uint8Array): Uint8Array<ArrayBuffer> {
  const { length } = payload;
  const headerLength = length < 126 ? 2 : length < 65_536 ? 4 : 10;
  const frame = new Uint8Array(headerLength + length);
  const view = new DataView(frame.buffer);
  frame[0] = 0x80 | opcode;
  if (headerLength === 2) {
    frame[1] = length;
  } else if (headerLength === 4) {
    frame[1] = 126;
    view.setUint16(2, length);
  } else {
    frame[1] = 127;
    view.setBigUint64(2, BigInt(length));
  }
  frame.set(payload, headerLength);
  return frame;
}

/** A Close frame; `undefined`: without a code. A long reason is truncated (RFC 6455 5.5). */
export function encodeClose(code: number | undefined, reason: string): Uint8Array<ArrayBuffer> {
  if (code === undefined) return encodeFrame(OPCODE.close, new Uint8Array(0));
  const payload = new Uint8Array(125);
  new DataView(payload.buffer).setUint16(0, code);
  // encodeInto() writes whole characters only.
  const { written } = new TextEncoder().encodeInto(reason, payload.subarray(2));
  return encodeFrame(OPCODE.close, payload.subarray(0, 2 + written));
}
