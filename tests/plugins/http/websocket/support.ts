/**
 * A simulated WebSocket client: frames in, frames out.
 *
 * @module
 */
import { latin1, textOf } from "../support.ts";

/** The key of RFC 6455 1.3, and its handshake. */
export const HANDSHAKE = "GET /ws?a=b HTTP/1.1\r\nHost: h\r\nConnection: keep-alive, Upgrade\r\n" +
  "Upgrade: websocket\r\nSec-WebSocket-Version: 13\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n";

/** Options of a client's frame. */
export interface ClientFrame {
  opcode: number;
  payload?: string | Uint8Array;
  /** Default true. */
  fin?: boolean;
  /** Default true. */
  masked?: boolean;
  /** Reserved bits, 0 to 7. */
  reserved?: number;
  /** The form of the length: 7, 16 or 64 bits. Default: the shortest. */
  lengthBits?: 7 | 16 | 64;
  /** The masking key. */
  key?: readonly number[];
}

/** A client's frame as text whose characters are bytes. */
export function clientFrame(frame: ClientFrame): string {
  const { opcode, payload = "", fin = true, masked = true, reserved = 0 } = frame;
  const { key = [0x37, 0xfa, 0x21, 0x3d] } = frame;
  const bytes = typeof payload === "string" ? new TextEncoder().encode(payload) : payload;
  const { length } = bytes;
  const lengthBits = frame.lengthBits ?? (length < 126 ? 7 : length < 65_536 ? 16 : 64);
  const head = [(fin ? 0x80 : 0) | (reserved << 4) | opcode];
  const mask = masked ? 0x80 : 0;
  if (lengthBits === 7) head.push(mask | length);
  else if (lengthBits === 16) head.push(mask | 126, length >> 8, length & 0xff);
  else head.push(mask | 127, 0, 0, 0, 0, ...[24, 16, 8, 0].map((by) => (length >>> by) & 0xff));
  if (!masked) return textOf(Uint8Array.from(head)) + textOf(bytes);
  return textOf(Uint8Array.from([...head, ...key])) +
    textOf(bytes.map((byte, i) => byte ^ key[i & 3]!));
}

/** A client's Close. */
export function clientClose(code?: number, reason = ""): string {
  const bytes = code === undefined
    ? new Uint8Array(0)
    : Uint8Array.from([code >> 8, code & 0xff, ...new TextEncoder().encode(reason)]);
  return clientFrame({ opcode: 8, payload: bytes });
}

/** A server's frame: opcode and payload; a Close as `[8, code, reason]`. */
export type ServerFrame = [opcode: number, payload: string] | [8, code: number, reason: string];

/** Parses a server's data into frames; throws if it is invalid. */
export function serverFrames(text: string): ServerFrame[] {
  const bytes = latin1(text);
  const frames: ServerFrame[] = [];
  for (let at = 0; at < bytes.length;) {
    if ((bytes[at]! & 0xf0) !== 0x80) throw new Error(`not an unfragmented frame at ${at}`);
    const opcode = bytes[at]! & 0x0f;
    const view = new DataView(bytes.buffer, at);
    let length = view.getUint8(1);
    if (length > 127) throw new Error("a server's frame is masked");
    let start = at + 2;
    if (length === 126) [length, start] = [view.getUint16(2), at + 4];
    else if (length === 127) [length, start] = [Number(view.getBigUint64(2)), at + 10];
    const payload = bytes.subarray(start, start + length);
    if (payload.length < length) throw new Error("half a frame");
    const textPart = (part: Uint8Array) => new TextDecoder().decode(part);
    if (opcode === 8 && length > 0) {
      frames.push([8, payload[0]! * 256 + payload[1]!, textPart(payload.subarray(2))]);
    } else {
      frames.push([opcode, opcode === 2 ? textOf(payload) : textPart(payload)]);
    }
    at = start + length;
  }
  return frames;
}
