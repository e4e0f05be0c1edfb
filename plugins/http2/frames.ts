/**
 * The frames of HTTP/2 (RFC 9113 4, 6, 7).
 *
 * @module
 */
import { ByteWriter } from "./byte_writer.ts";

/** The connection preface of a client (RFC 9113 3.4). */
export const PREFACE: Uint8Array = new TextEncoder().encode("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n");

/** Bytes of a frame's header (RFC 9113 4.1). */
export const FRAME_HEADER_BYTES = 9;

/** The frame types of RFC 9113 6. */
export const FRAME = {
  data: 0x0,
  headers: 0x1,
  priority: 0x2,
  rstStream: 0x3,
  settings: 0x4,
  pushPromise: 0x5,
  ping: 0x6,
  goaway: 0x7,
  windowUpdate: 0x8,
  continuation: 0x9,
} as const;

/** The flags of RFC 9113 6. */
export const FLAG = {
  ack: 0x1,
  endStream: 0x1,
  endHeaders: 0x4,
  padded: 0x8,
  priority: 0x20,
} as const;

/** The error codes of RFC 9113 7. */
export const ERROR = {
  noError: 0x0,
  protocolError: 0x1,
  internalError: 0x2,
  flowControlError: 0x3,
  settingsTimeout: 0x4,
  streamClosed: 0x5,
  frameSizeError: 0x6,
  refusedStream: 0x7,
  cancel: 0x8,
  compressionError: 0x9,
  connectError: 0xa,
  enhanceYourCalm: 0xb,
  inadequateSecurity: 0xc,
  http11Required: 0xd,
} as const;

/** One of {@link ERROR}, or an unknown code sent by a peer. */
export type ErrorCode = number;

const NAMES = [
  "NO_ERROR",
  "PROTOCOL_ERROR",
  "INTERNAL_ERROR",
  "FLOW_CONTROL_ERROR",
  "SETTINGS_TIMEOUT",
  "STREAM_CLOSED",
  "FRAME_SIZE_ERROR",
  "REFUSED_STREAM",
  "CANCEL",
  "COMPRESSION_ERROR",
  "CONNECT_ERROR",
  "ENHANCE_YOUR_CALM",
  "INADEQUATE_SECURITY",
  "HTTP_1_1_REQUIRED",
];

/** The name of an error code in RFC 9113 7. */
export function errorName(code: ErrorCode): string {
  return NAMES[code] ?? `error ${code}`;
}

/** A buffer of frames to be sent. */
export class FrameWriter extends ByteWriter {
  /** Appends a frame's header. */
  header(length: number, type: number, flags: number, streamId: number): void {
    const at = this.reserve(FRAME_HEADER_BYTES);
    this.headerAt(at, length, type, flags, streamId);
  }

  /** Writes a frame's header at `at`, over what is there. */
  headerAt(at: number, length: number, type: number, flags: number, streamId: number): void {
    const { bytes } = this;
    bytes[at] = length >>> 16;
    bytes[at + 1] = length >>> 8;
    bytes[at + 2] = length;
    bytes[at + 3] = type;
    bytes[at + 4] = flags;
    bytes[at + 5] = streamId >>> 24;
    bytes[at + 6] = streamId >>> 16;
    bytes[at + 7] = streamId >>> 8;
    bytes[at + 8] = streamId;
  }

  /** Appends SETTINGS, given as alternating identifiers and values. */
  settings(...settings: number[]): void {
    this.header(settings.length * 3, FRAME.settings, 0, 0);
    for (let i = 0; i < settings.length; i += 2) {
      this.writeByte(settings[i]! >>> 8);
      this.writeByte(settings[i]! & 0xff);
      this.writeU32(settings[i + 1]!);
    }
  }

  /** Appends the acknowledgement of SETTINGS. */
  settingsAck(): void {
    this.header(0, FRAME.settings, FLAG.ack, 0);
  }

  /** Appends PING with `bytes[start..start + 8)`. */
  ping(isAck: boolean, bytes: Uint8Array, start: number): void {
    this.header(8, FRAME.ping, isAck ? FLAG.ack : 0, 0);
    this.writeBytes(bytes, start, start + 8);
  }

  /** Appends GOAWAY; `debug` is ASCII. */
  goaway(lastStreamId: number, code: ErrorCode, debug: string): void {
    this.header(8 + debug.length, FRAME.goaway, 0, 0);
    this.writeU32(lastStreamId);
    this.writeU32(code);
    this.writeText(debug);
  }

  /** Appends RST_STREAM. */
  rstStream(streamId: number, code: ErrorCode): void {
    this.header(4, FRAME.rstStream, 0, streamId);
    this.writeU32(code);
  }

  /** Appends WINDOW_UPDATE; stream 0: the connection's window. */
  windowUpdate(streamId: number, increment: number): void {
    this.header(4, FRAME.windowUpdate, 0, streamId);
    this.writeU32(increment);
  }

  /** Appends DATA of `bytes[start..end)`. */
  data(streamId: number, bytes: Uint8Array, start: number, end: number, endsStream: boolean): void {
    this.header(end - start, FRAME.data, endsStream ? FLAG.endStream : 0, streamId);
    if (end > start) this.writeBytes(bytes, start, end);
  }

  /** Completes HEADERS at `at`, and splits a block larger than `maxSize` into CONTINUATION frames. */
  headersAt(at: number, endsStream: boolean, streamId: number, maxSize: number): void {
    const endStream = endsStream ? FLAG.endStream : 0;
    const length = this.length - at - FRAME_HEADER_BYTES;
    if (length <= maxSize) {
      return this.headerAt(at, length, FRAME.headers, FLAG.endHeaders | endStream, streamId);
    }
    const rest = this.bytes.slice(at + FRAME_HEADER_BYTES + maxSize, this.length);
    this.length = at + FRAME_HEADER_BYTES + maxSize;
    this.headerAt(at, maxSize, FRAME.headers, endStream, streamId);
    for (let from = 0; from < rest.length; from += maxSize) {
      const to = Math.min(from + maxSize, rest.length);
      const flags = to === rest.length ? FLAG.endHeaders : 0;
      this.header(to - from, FRAME.continuation, flags, streamId);
      this.writeBytes(rest, from, to);
    }
  }
}
