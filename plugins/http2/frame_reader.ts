/**
 * Reads the frames of a client (RFC 9113 3.4, 4, 6): preface, frame sizes, padding and header blocks.
 * `session.ts` applies them to their streams.
 *
 * @module
 */
import { readU32 } from "../../core/wire/bytes.ts";
import type { Abuse } from "./abuse.ts";
import { frameSizeError, type Http2Fault, protocolError } from "./fault.ts";
import { MAX_WINDOW } from "./flow_control.ts";
import { type ErrorCode, FLAG, FRAME, FRAME_HEADER_BYTES, FrameWriter, PREFACE } from "./frames.ts";
import { DEFAULT_MAX_FRAME_SIZE } from "./settings.ts";

/** Receives frames whose size, padding and order are valid. Bytes are valid during the call only. */
export interface FrameHandler {
  /** DATA, or a part of it: `bytes[start..end)`. `length` counts the padding too (RFC 9113 6.9.1). */
  data(
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    length: number,
    endsStream: boolean,
  ): void;
  /** A complete header block, of HEADERS and its CONTINUATION frames. */
  headerBlock(
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endsStream: boolean,
  ): void;
  /** PRIORITY; `isValid`: it has the required size. */
  priority(id: number, isValid: boolean): void;
  /** RST_STREAM */
  rstStream(id: number, code: ErrorCode): void;
  /** The settings in `bytes[start..end)`. */
  settings(bytes: Uint8Array, start: number, end: number): void;
  /** PING with the 8 bytes from `start`. */
  ping(isAck: boolean, bytes: Uint8Array, start: number): void;
  /** GOAWAY */
  goaway(): void;
  /** WINDOW_UPDATE; stream 0: the connection. */
  windowUpdate(id: number, increment: number): void;
  /** A frame of unknown type. */
  unknown(): void;
  /** A connection error. */
  fail(fault: Http2Fault): void;
  /** The client exceeded a limit. */
  failForAbuse(abuse: Abuse): void;
}

/** Well-behaved clients fill their frames, so this allows 0.5 MB of header block. */
const MAX_CONTINUATIONS = 32;

/** What the client has to send next at the start; `"open"`: any frame. */
type Phase = "preface" | "settings" | "open";

/** Reads the frames of one connection. */
export class FrameReader {
  readonly #handler: FrameHandler;
  readonly #maxHeaderBytes: number;
  #phase: Phase;
  #isStopped = false;
  /** The header block whose rest follows in CONTINUATION frames (RFC 9113 4.3). */
  #block: FrameWriter | undefined;
  #blockStream = 0;
  #blockEndsStream = false;
  #continuations = 0;
  /** Bytes of the current DATA frame that have not arrived yet. */
  #dataLeft = 0;
  #dataFlags = 0;
  #dataStream = 0;

  /**
   * `maxHeaderBytes`: the limit of a header list. `hasPreface`: the preface has been read already
   * (RFC 9113 3.4).
   */
  constructor(handler: FrameHandler, maxHeaderBytes: number, hasPreface: boolean) {
    this.#handler = handler;
    this.#maxHeaderBytes = maxHeaderBytes;
    this.#phase = hasPreface ? "settings" : "preface";
  }

  /** Whether the preface is complete, and no header block is incomplete. */
  get isBetweenHeads(): boolean {
    return this.#phase === "open" && this.#block === undefined;
  }

  /** Ignores all further input: the connection has failed. */
  stop(): void {
    this.#isStopped = true;
  }

  /**
   * Reads the frames of `bytes[start..end)` and returns the position after the last one. The rest is
   * an incomplete frame, to be passed again with more data.
   */
  read(bytes: Uint8Array, start: number, end: number): number {
    let at = start;
    if (this.#phase === "preface") {
      if (!this.#readPreface(bytes, start, end)) return start;
      at += PREFACE.length;
    }
    while (!this.#isStopped) {
      if (this.#dataLeft > 0) {
        if (at === end) break;
        at = this.#readPartOfData(bytes, at, end);
        continue;
      }
      if (end - at < FRAME_HEADER_BYTES) break;
      const length = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
      // RFC 9113 4.2; SETTINGS_MAX_FRAME_SIZE keeps its default.
      if (length > DEFAULT_MAX_FRAME_SIZE) {
        this.#handler.fail(frameSizeError("a frame larger than SETTINGS_MAX_FRAME_SIZE"));
        break;
      }
      const payload = at + FRAME_HEADER_BYTES;
      const id = (bytes[at + 5]! & 0x7f) << 24 | bytes[at + 6]! << 16 | bytes[at + 7]! << 8 |
        bytes[at + 8]!;
      const type = bytes[at + 3]!;
      const flags = bytes[at + 4]!;
      if (end - payload >= length) {
        this.#readFrame(bytes, payload, payload + length, type, flags, id);
        at = payload + length;
      } else if (this.#mayBeCut(type, flags)) {
        this.#dataLeft = length;
        this.#dataFlags = flags;
        this.#dataStream = id;
        at = payload;
      } else break;
    }
    return this.#isStopped ? end : at;
  }

  /** Large DATA frames are processed as they arrive. */
  #mayBeCut(type: number, flags: number): boolean {
    return type === FRAME.data && (flags & FLAG.padded) === 0 && this.isBetweenHeads;
  }

  #readPartOfData(bytes: Uint8Array, start: number, end: number): number {
    const to = Math.min(end, start + this.#dataLeft);
    this.#dataLeft -= to - start;
    const flags = this.#dataLeft > 0 ? this.#dataFlags & ~FLAG.endStream : this.#dataFlags;
    this.#readData(bytes, start, to, flags, this.#dataStream);
    return to;
  }

  #readPreface(bytes: Uint8Array, start: number, end: number): boolean {
    const length = Math.min(PREFACE.length, end - start);
    for (let i = 0; i < length; i++) {
      if (bytes[start + i] === PREFACE[i]) continue;
      this.#handler.fail(protocolError("the connection does not begin with the HTTP/2 preface"));
      return false;
    }
    if (length < PREFACE.length) return false;
    this.#phase = "settings";
    return true;
  }

  #readFrame(
    bytes: Uint8Array,
    start: number,
    end: number,
    type: number,
    flags: number,
    id: number,
  ): void {
    const handler = this.#handler;
    if (this.#block !== undefined && (type !== FRAME.continuation || id !== this.#blockStream)) {
      return handler.fail(protocolError("a frame within a header block")); // RFC 9113 6.10
    }
    if (this.#phase === "settings") {
      if (type !== FRAME.settings || (flags & FLAG.ack) !== 0) {
        return handler.fail(protocolError("the first frame is not SETTINGS")); // RFC 9113 3.4
      }
      this.#phase = "open";
    }
    switch (type) {
      case FRAME.data:
        return this.#readData(bytes, start, end, flags, id);
      case FRAME.headers:
        return this.#readHeaders(bytes, start, end, flags, id);
      case FRAME.priority:
        if (id === 0) return handler.fail(protocolError("PRIORITY on stream 0"));
        return handler.priority(id, end - start === 5);
      case FRAME.rstStream:
        return this.#readRstStream(bytes, start, end, id);
      case FRAME.settings:
        return this.#readSettings(bytes, start, end, flags, id);
      case FRAME.pushPromise:
        return handler.fail(protocolError("a client cannot push")); // RFC 9113 8.4
      case FRAME.ping:
        return this.#readPing(bytes, start, end, flags, id);
      case FRAME.goaway:
        if (id !== 0) return handler.fail(protocolError("GOAWAY on a stream"));
        if (end - start >= 8) return handler.goaway();
        return handler.fail(frameSizeError("GOAWAY of less than 8 bytes"));
      case FRAME.windowUpdate:
        if (end - start === 4) return handler.windowUpdate(id, readU32(bytes, start) & MAX_WINDOW);
        return handler.fail(frameSizeError("WINDOW_UPDATE that is not 4 bytes"));
      case FRAME.continuation:
        return this.#readContinuation(bytes, start, end, flags, id);
      default:
        return handler.unknown(); // RFC 9113 5.5
    }
  }

  /** Where the padding begins, or -1 (RFC 9113 6.1). */
  #endOfPadded(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) {
      this.#handler.fail(frameSizeError("a padded frame without a Pad Length field"));
      return -1;
    }
    const unpadded = end - bytes[start]!;
    if (unpadded > start) return unpadded;
    this.#handler.fail(protocolError("padding longer than its frame"));
    return -1;
  }

  #readData(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    if (id === 0) return this.#handler.fail(protocolError("DATA on stream 0"));
    let from = start;
    let to = end;
    if (flags & FLAG.padded) {
      to = this.#endOfPadded(bytes, start, end);
      if (to < 0) return;
      from++;
    }
    this.#handler.data(id, bytes, from, to, end - start, (flags & FLAG.endStream) !== 0);
  }

  #readHeaders(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    // RFC 9113 5.1.1: clients use odd identifiers.
    if (id % 2 === 0) {
      return this.#handler.fail(protocolError("HEADERS on an even stream identifier"));
    }
    let from = start;
    let to = end;
    if (flags & FLAG.padded) {
      to = this.#endOfPadded(bytes, start, end);
      if (to < 0) return;
      from++;
    }
    // RFC 9113 5.3.2: priority is ignored.
    if (flags & FLAG.priority) from += 5;
    if (from > to) {
      return this.#handler.fail(frameSizeError("HEADERS too short for its priority field"));
    }
    const endsStream = (flags & FLAG.endStream) !== 0;
    if (flags & FLAG.endHeaders) return this.#handler.headerBlock(id, bytes, from, to, endsStream);
    this.#block = new FrameWriter(2 * DEFAULT_MAX_FRAME_SIZE);
    this.#block.writeBytes(bytes, from, to);
    this.#blockStream = id;
    this.#blockEndsStream = endsStream;
    this.#continuations = 0;
  }

  #readContinuation(
    bytes: Uint8Array,
    start: number,
    end: number,
    flags: number,
    id: number,
  ): void {
    const block = this.#block;
    if (block === undefined) {
      return this.#handler.fail(protocolError("CONTINUATION without HEADERS"));
    }
    // Twice what a reasonable encoder needs for a header list within the limit.
    const maxBytes = 2 * this.#maxHeaderBytes + DEFAULT_MAX_FRAME_SIZE;
    if (++this.#continuations > MAX_CONTINUATIONS || block.length + end - start > maxBytes) {
      return this.#handler.failForAbuse("continuation flood");
    }
    block.writeBytes(bytes, start, end);
    if ((flags & FLAG.endHeaders) === 0) return;
    this.#block = undefined;
    this.#handler.headerBlock(id, block.bytes, 0, block.length, this.#blockEndsStream);
  }

  #readRstStream(bytes: Uint8Array, start: number, end: number, id: number): void {
    if (end - start !== 4) {
      return this.#handler.fail(frameSizeError("RST_STREAM that is not 4 bytes"));
    }
    if (id === 0) return this.#handler.fail(protocolError("RST_STREAM on stream 0"));
    this.#handler.rstStream(id, readU32(bytes, start));
  }

  #readSettings(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    const handler = this.#handler;
    if (id !== 0) return handler.fail(protocolError("SETTINGS on a stream"));
    const length = end - start;
    if (flags & FLAG.ack) {
      if (length === 0) return;
      return handler.fail(frameSizeError("SETTINGS with ACK and a payload"));
    }
    if (length % 6 !== 0) {
      return handler.fail(frameSizeError("SETTINGS whose length is not a multiple of 6"));
    }
    handler.settings(bytes, start, end);
  }

  #readPing(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    if (id !== 0) return this.#handler.fail(protocolError("PING on a stream"));
    if (end - start !== 8) return this.#handler.fail(frameSizeError("PING that is not 8 bytes"));
    this.#handler.ping((flags & FLAG.ack) !== 0, bytes, start);
  }
}
