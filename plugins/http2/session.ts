/**
 * The server's side of one HTTP/2 connection (RFC 9113), sans-IO: bytes and calls in, frames and events
 * out. The time is an argument.
 *
 * @module
 */
import { type Abuse, AbuseCounts } from "./abuse.ts";
import { frameSizeError, Http2Fault, MalformedRequest, protocolError } from "./fault.ts";
import { MAX_WINDOW, ReceiveWindow } from "./flow_control.ts";
import {
  ERROR,
  type ErrorCode,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  FrameWriter,
  PREFACE,
} from "./frames.ts";
import { type FieldSink, HpackDecoder } from "./hpack/decoder.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import {
  type HeadLimits,
  type Http2RequestHead,
  NO_FIELDS,
  RefusedHead,
  RequestFields,
  TrailerFields,
} from "./request_fields.ts";
import { bytesOf } from "../shared/http/characters.ts";
import { RepeatedHead } from "../shared/http/repeated_head.ts";
import { DEFAULT_MAX_FRAME_SIZE, DEFAULT_WINDOW, PeerSettings, SETTING } from "./settings.ts";
import { readU32 } from "../../core/wire/bytes.ts";
import { EndedStreams, Http2Stream, type StreamEnd } from "./stream.ts";

/** Limits of a session. */
export interface SessionLimits extends HeadLimits {
  /** Streams that are open at once; more are refused (RFC 9113 5.1.2). */
  readonly maxConcurrentStreams: number;
  /** Bytes of the trailer fields of a request, counted as in RFC 9113 6.5.2. */
  readonly maxTrailerBytes: number;
}

/** Events of a session. */
export interface SessionEvents<Request> {
  /** Checks a head. Called once for identical heads that follow each other. */
  parse(head: Http2RequestHead | RefusedHead): Request;
  /** A new request; false refuses it with REFUSED_STREAM (RFC 9113 8.7). */
  request(stream: Http2Stream, request: Request): boolean;
  /** A stream is closed. */
  closed(stream: Http2Stream): void;
}

/** Receive window of a stream, in bytes: limit of unread body data. */
export const STREAM_WINDOW = 262_144;
/** Receive window of a connection, in bytes, for all of its streams together. */
export const CONNECTION_WINDOW = 1_048_576;
/** DATA is not framed while more than this is unsent. */
const MAX_OUTPUT_BYTES = 131_072;
/** Well-behaved clients fill their frames, so this allows 0.5 MB of header block. */
const MAX_CONTINUATIONS = 32;
/** Initial size of the output buffer. */
const OUTPUT_BYTES = 1024;

/** What the client has to send next at the start; `"open"`: any frame. */
type Phase = "preface" | "settings" | "open";

/** Serves one connection. */
export class Http2Session<Request> {
  readonly #limits: SessionLimits;
  readonly #events: SessionEvents<Request>;
  readonly #decoder = new HpackDecoder();
  readonly #encoder = new HpackEncoder();
  readonly #fields: RequestFields;
  readonly #peer = new PeerSettings();
  readonly #abuse = new AbuseCounts();
  readonly #ended = new EndedStreams();
  readonly #window = new ReceiveWindow(CONNECTION_WINDOW, DEFAULT_WINDOW);
  /** The last head, and the state of the dynamic table for which its encoding is valid. */
  readonly #last = new RepeatedHead<Request>();
  #lastInserted = -1;
  #lastTableSize = 0;
  #sendWindow = DEFAULT_WINDOW;
  #phase: Phase;
  #now = 0;
  /** The header block whose rest follows in CONTINUATION frames (RFC 9113 4.3). */
  #block: FrameWriter | undefined;
  #blockStream = 0;
  #blockEndsStream = false;
  #continuations = 0;
  /** Bytes of the current DATA frame that have not arrived yet. */
  #dataLeft = 0;
  #dataFlags = 0;
  #dataStream = 0;
  #lastStreamId = 0;
  /** Streams above this are not served, since GOAWAY was sent. */
  #acceptedStreamId = MAX_WINDOW;
  #isPeerLeaving = false;
  #isShutdownAcknowledged = false;
  #fault: Http2Fault | undefined;
  #abuseName: Abuse | undefined;
  /** Streams with pending data, served round robin. */
  readonly #blocked = new Set<Http2Stream>();

  /**
   * Frames to be sent. After taking `output.bytes[0..output.length)`, the caller sets `length` to
   * 0.
   */
  readonly output: FrameWriter = new FrameWriter(OUTPUT_BYTES);
  /** The streams that are open, by their identifiers. */
  readonly streams: Map<number, Http2Stream> = new Map();

  /** `hasPreface`: the client's preface has been read already (RFC 9113 3.4). */
  constructor(limits: SessionLimits, events: SessionEvents<Request>, hasPreface: boolean) {
    this.#limits = limits;
    this.#events = events;
    this.#phase = hasPreface ? "settings" : "preface";
    this.#fields = new RequestFields(limits);
    // RFC 9113 3.4: the server's preface. The last setting is from RFC 8441 3.
    this.output.settings(
      SETTING.maxConcurrentStreams,
      limits.maxConcurrentStreams,
      SETTING.initialWindowSize,
      STREAM_WINDOW,
      SETTING.maxHeaderListSize,
      limits.maxHeaderBytes,
      SETTING.enableConnectProtocol,
      1,
    );
    this.output.windowUpdate(0, this.#window.open());
  }

  /** The connection error that has ended the session. */
  get fault(): Http2Fault | undefined {
    return this.#fault;
  }

  /** The limit that the client exceeded, if that was the error. */
  get abuse(): Abuse | undefined {
    return this.#abuseName;
  }

  /** Counters of rate-limited events by name. */
  get counts(): ReadonlyMap<string, number> {
    return this.#abuse.counts;
  }

  /** Whether the client has sent GOAWAY (RFC 9113 6.8). */
  get isPeerLeaving(): boolean {
    return this.#isPeerLeaving;
  }

  /** Whether the preface is complete, and no header block is incomplete. */
  get isBetweenHeads(): boolean {
    return this.#phase === "open" && this.#block === undefined;
  }

  /** Whether the client has acknowledged the PING of `shutdown`. */
  get isShutdownAcknowledged(): boolean {
    return this.#isShutdownAcknowledged;
  }

  /**
   * Processes the frames of `bytes[start..end)` and returns the position after the last one. The
   * rest is an incomplete frame, to be passed again with more data. `now` is in milliseconds.
   */
  receive(bytes: Uint8Array, start: number, end: number, now: number): number {
    this.#now = now;
    let at = start;
    if (this.#phase === "preface") {
      if (!this.#readPreface(bytes, start, end)) return start;
      at += PREFACE.length;
    }
    while (this.#fault === undefined) {
      if (this.#dataLeft > 0) {
        if (at === end) break;
        at = this.#readPartOfData(bytes, at, end);
        continue;
      }
      if (end - at < FRAME_HEADER_BYTES) break;
      const length = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
      // RFC 9113 4.2; SETTINGS_MAX_FRAME_SIZE keeps its default.
      if (length > DEFAULT_MAX_FRAME_SIZE) {
        this.#fail(frameSizeError("a frame above SETTINGS_MAX_FRAME_SIZE"));
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
    return this.#fault === undefined ? at : end;
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

  /** Sends the head of a response; `fields`: names, in lower case, and values in turn. */
  sendHead(
    stream: Http2Stream,
    status: number,
    fields: readonly string[],
    endsStream: boolean,
  ): void {
    if (stream.isOver || stream.isLocalClosed) return;
    const { output } = this;
    const at = output.reserve(FRAME_HEADER_BYTES);
    this.#encoder.begin(output);
    this.#encoder.status(output, status);
    for (let i = 0; i < fields.length; i += 2) {
      this.#encoder.field(output, fields[i]!, fields[i + 1]!);
    }
    output.headersAt(at, endsStream, stream.id, DEFAULT_MAX_FRAME_SIZE);
    if (endsStream) this.#closeLocal(stream);
  }

  /**
   * Frames `data` as far as the windows and the output buffer allow; the rest follows later. False if
   * there is a rest: then the caller waits for `drained` before it sends more on this stream, and does not
   * change `data`.
   */
  sendData(stream: Http2Stream, data: Uint8Array, endsStream: boolean): boolean {
    if (stream.isOver || stream.isLocalClosed) return true;
    stream.pending = data;
    stream.pendingAt = 0;
    stream.pendingEnds = endsStream;
    while (this.#sendFrame(stream));
    if (stream.pending === undefined) return true;
    this.#blocked.add(stream);
    return false;
  }

  /** {@link sendData} for ASCII text, written into the frame directly. */
  sendText(stream: Http2Stream, text: string, endsStream: boolean): boolean {
    const { length } = text;
    const fits = length <= Math.min(this.#sendWindow, stream.sendWindow, DEFAULT_MAX_FRAME_SIZE) &&
      this.output.length < MAX_OUTPUT_BYTES && !stream.isOver && !stream.isLocalClosed;
    if (!fits) return this.sendData(stream, bytesOf(text), endsStream);
    this.output.header(length, FRAME.data, endsStream ? FLAG.endStream : 0, stream.id);
    this.output.writeText(text);
    this.#sent(stream, length, endsStream);
    return true;
  }

  /** Frames pending data after the output was sent. */
  pump(): void {
    // Round robin, so that no stream takes the whole connection window.
    for (let isProgress = true; isProgress;) {
      isProgress = false;
      for (const stream of this.#blocked) {
        if (!this.#sendFrame(stream)) continue;
        isProgress = true;
        if (stream.pending !== undefined) continue;
        this.#blocked.delete(stream);
        stream.handler?.drained();
      }
    }
  }

  /** The application has consumed `bytes` of the request body. */
  consume(stream: Http2Stream, bytes: number): void {
    if (this.#fault) return;
    const increment = this.#window.consume(bytes);
    if (increment > 0) this.output.windowUpdate(0, increment);
    if (stream.isRemoteClosed || stream.isOver) return;
    const more = stream.receive.consume(bytes);
    if (more > 0) this.output.windowUpdate(stream.id, more);
  }

  /** Sends RST_STREAM (RFC 9113 5.4.2). The handler is not called. */
  reset(stream: Http2Stream, code: ErrorCode): void {
    if (stream.isOver) return;
    this.output.rstStream(stream.id, code);
    this.#close(stream, "reset by this side");
  }

  /** Resets a stream whose windows were not opened in time (RFC 9113 10.5). `now` as for `receive`. */
  giveUp(stream: Http2Stream, now: number): void {
    this.#now = now;
    this.reset(stream, ERROR.cancel);
    this.#note("closed windows");
  }

  /**
   * Starts a graceful shutdown: asks the client to open no more streams; those in flight are served
   * (RFC 9113 6.8). Call `goAway` when `isShutdownAcknowledged` is true.
   */
  shutdown(): void {
    this.output.goaway(MAX_WINDOW, ERROR.noError, "");
    this.output.ping(false, SHUTDOWN_PING, 0);
  }

  /** Sends GOAWAY; later streams are not served. */
  goAway(code: ErrorCode, reason: string): void {
    if (this.#fault || this.#acceptedStreamId < MAX_WINDOW) return;
    this.#acceptedStreamId = this.#lastStreamId;
    this.output.goaway(this.#lastStreamId, code, reason);
  }

  /** Ends the session with a connection error. */
  fail(fault: Http2Fault): void {
    this.#fail(fault);
  }

  // ---------------------------------------------------------------- sending

  /** Frames one piece of pending data; false if there is none, or no room. */
  #sendFrame(stream: Http2Stream): boolean {
    const { pending, pendingAt } = stream;
    if (pending === undefined || this.output.length >= MAX_OUTPUT_BYTES) return false;
    const left = pending.length - pendingAt;
    // A window may be negative (RFC 9113 6.9.2).
    const window = Math.max(0, Math.min(this.#sendWindow, stream.sendWindow));
    const count = Math.min(left, window, DEFAULT_MAX_FRAME_SIZE);
    if (count === 0 && left > 0) return false;
    const end = pendingAt + count;
    const endsStream = stream.pendingEnds && end === pending.length;
    // An empty frame is sent only for END_STREAM.
    if (count > 0 || endsStream) {
      this.output.data(stream.id, pending, pendingAt, end, endsStream);
    }
    stream.pendingAt = end;
    if (end === pending.length) stream.pending = undefined;
    this.#sent(stream, count, endsStream);
    return true;
  }

  /** A frame of DATA has been sent. */
  #sent(stream: Http2Stream, count: number, endsStream: boolean): void {
    this.#sendWindow -= count;
    stream.sendWindow -= count;
    this.#abuse.allowWindowUpdates();
    if (endsStream) this.#closeLocal(stream);
  }

  #closeLocal(stream: Http2Stream): void {
    stream.isLocalClosed = true;
    if (stream.isRemoteClosed) this.#close(stream, "ended");
  }

  #close(stream: Http2Stream, end: StreamEnd): void {
    if (stream.isOver) return;
    stream.isOver = true;
    stream.pending = undefined;
    this.#blocked.delete(stream);
    this.streams.delete(stream.id);
    this.#ended.add(stream.id, end);
    this.#events.closed(stream);
  }

  // ---------------------------------------------------------------- errors

  /** RFC 9113 5.4.1 */
  #fail(fault: Http2Fault): void {
    if (this.#fault) return;
    this.#fault = fault;
    this.output.goaway(this.#lastStreamId, fault.code, fault.reason);
    for (const stream of [...this.streams.values()]) {
      this.#close(stream, "reset by this side");
      stream.handler?.lost(fault.code, false);
    }
  }

  #failForAbuse(abuse: Abuse): void {
    this.#abuseName ??= abuse;
    this.#fail(new Http2Fault(ERROR.enhanceYourCalm, abuse));
  }

  #note(abuse: Parameters<AbuseCounts["note"]>[0]): void {
    if (!this.#abuse.note(abuse, this.#now)) this.#failForAbuse(abuse);
  }

  /** A stream error that the client has caused (RFC 9113 5.4.2). */
  #failStream(stream: Http2Stream, code: ErrorCode): void {
    if (stream.isOver) return;
    this.reset(stream, code);
    stream.handler?.lost(code, false);
    this.#note("made you reset");
  }

  /** `#failStream` for a stream that was never opened. */
  #resetUnopened(id: number, code: ErrorCode): void {
    this.output.rstStream(id, code);
    this.#ended.add(id, "reset by this side");
  }

  // ---------------------------------------------------------------- receiving

  #readPreface(bytes: Uint8Array, start: number, end: number): boolean {
    const length = Math.min(PREFACE.length, end - start);
    for (let i = 0; i < length; i++) {
      if (bytes[start + i] === PREFACE[i]) continue;
      this.#fail(protocolError("the connection does not begin with the preface of HTTP/2"));
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
    if (this.#block !== undefined && (type !== FRAME.continuation || id !== this.#blockStream)) {
      return this.#fail(protocolError("a frame within a header block")); // RFC 9113 6.10
    }
    if (this.#phase === "settings") {
      if (type !== FRAME.settings || (flags & FLAG.ack) !== 0) {
        return this.#fail(protocolError("the first frame is not SETTINGS")); // RFC 9113 3.4
      }
      this.#phase = "open";
    }
    switch (type) {
      case FRAME.data:
        return this.#readData(bytes, start, end, flags, id);
      case FRAME.headers:
        return this.#readHeaders(bytes, start, end, flags, id);
      case FRAME.priority:
        return this.#readPriority(start, end, id);
      case FRAME.rstStream:
        return this.#readRstStream(bytes, start, end, id);
      case FRAME.settings:
        return this.#readSettings(bytes, start, end, flags, id);
      case FRAME.pushPromise:
        return this.#fail(protocolError("a client cannot push")); // RFC 9113 8.4
      case FRAME.ping:
        return this.#readPing(bytes, start, end, flags, id);
      case FRAME.goaway:
        return this.#readGoaway(start, end, id);
      case FRAME.windowUpdate:
        return this.#readWindowUpdate(bytes, start, end, id);
      case FRAME.continuation:
        return this.#readContinuation(bytes, start, end, flags, id);
      default:
        return this.#note("ignored frames"); // RFC 9113 5.5
    }
  }

  /** Where the padding begins, or -1 (RFC 9113 6.1). */
  #endOfPadded(bytes: Uint8Array, start: number, end: number): number {
    if (start === end) {
      this.#fail(frameSizeError("a padded frame without the length of its padding"));
      return -1;
    }
    const unpadded = end - bytes[start]!;
    if (unpadded > start) return unpadded;
    this.#fail(protocolError("padding that is longer than its frame"));
    return -1;
  }

  #readData(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    if (id === 0 || this.#isIdle(id)) return this.#fail(protocolError("DATA on no stream"));
    const length = end - start;
    if (!this.#window.receive(length)) {
      return this.#fail(
        new Http2Fault(ERROR.flowControlError, "more DATA than the connection's window"),
      );
    }
    let from = start;
    let to = end;
    if (flags & FLAG.padded) {
      to = this.#endOfPadded(bytes, start, end);
      if (to < 0) return;
      from++;
    }
    const stream = this.streams.get(id);
    if (stream === undefined || stream.isRemoteClosed) {
      return this.#readLateData(stream, length, id);
    }
    if (!stream.receive.receive(length)) {
      this.#consumeConnection(length);
      return this.#failStream(stream, ERROR.flowControlError);
    }
    const endsStream = (flags & FLAG.endStream) !== 0;
    const count = to - from;
    if (stream.expected >= 0) {
      stream.expected -= count;
      // RFC 9113 8.1.1
      if (stream.expected < 0 || endsStream && stream.expected > 0) {
        this.#consumeConnection(length);
        return this.#failStream(stream, ERROR.protocolError);
      }
    }
    if (length > count) this.consume(stream, length - count);
    if (count > 0) stream.handler?.data(bytes, from, to);
    else if (!endsStream) this.#note("empty data flood");
    if (endsStream && !stream.isOver) this.#endRemote(stream);
  }

  /** DATA of a closed stream still counts for the connection window. */
  #readLateData(stream: Http2Stream | undefined, length: number, id: number): void {
    this.#consumeConnection(length);
    if (stream !== undefined) return this.#failStream(stream, ERROR.streamClosed);
    if (this.#ended.find(id) === "reset by this side") return this.#note("ignored frames");
    this.#fail(new Http2Fault(ERROR.streamClosed, "DATA on a stream that has ended"));
  }

  #consumeConnection(length: number): void {
    const increment = this.#window.consume(length);
    if (increment > 0) this.output.windowUpdate(0, increment);
  }

  #endRemote(stream: Http2Stream): void {
    stream.isRemoteClosed = true;
    stream.handler?.end();
    if (stream.isLocalClosed) this.#close(stream, "ended");
  }

  #readHeaders(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    // RFC 9113 5.1.1: clients use odd identifiers.
    if (id % 2 === 0) return this.#fail(protocolError("HEADERS on a stream that no client opens"));
    let from = start;
    let to = end;
    if (flags & FLAG.padded) {
      to = this.#endOfPadded(bytes, start, end);
      if (to < 0) return;
      from++;
    }
    // RFC 9113 5.3.2: priority is ignored.
    if (flags & FLAG.priority) from += 5;
    if (from > to) return this.#fail(frameSizeError("HEADERS that ends within its priority"));
    const endsStream = (flags & FLAG.endStream) !== 0;
    if (flags & FLAG.endHeaders) return this.#readBlock(bytes, from, to, endsStream, id);
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
    if (block === undefined) return this.#fail(protocolError("CONTINUATION behind no HEADERS"));
    // Twice what a reasonable encoder needs for a header list within the limit.
    const maxBytes = 2 * this.#limits.maxHeaderBytes + DEFAULT_MAX_FRAME_SIZE;
    if (++this.#continuations > MAX_CONTINUATIONS || block.length + end - start > maxBytes) {
      return this.#failForAbuse("continuation flood");
    }
    block.writeBytes(bytes, start, end);
    if ((flags & FLAG.endHeaders) === 0) return;
    this.#block = undefined;
    this.#readBlock(block.bytes, 0, block.length, this.#blockEndsStream, id);
  }

  /** A whole header block: the head of a request, or trailers. */
  #readBlock(
    bytes: Uint8Array,
    start: number,
    end: number,
    endsStream: boolean,
    id: number,
  ): void {
    if (id > this.#lastStreamId) return this.#openStream(bytes, start, end, endsStream, id);
    const stream = this.streams.get(id);
    if (stream !== undefined) return this.#readTrailers(stream, bytes, start, end, endsStream);
    const how = this.#ended.find(id);
    if (how === "reset by this side") {
      if (this.#decode(bytes, start, end, NO_FIELDS)) this.#note("ignored frames");
    } else if (how !== undefined) {
      this.#fail(new Http2Fault(ERROR.streamClosed, "HEADERS on a stream that has ended"));
    } else {
      // RFC 9113 5.1.1: opening a stream closes idle streams with lower identifiers.
      this.#fail(protocolError("a stream below the last one"));
    }
  }

  #decode(bytes: Uint8Array, start: number, end: number, sink: FieldSink): boolean {
    const fault = this.#decoder.decode(bytes, start, end, sink);
    if (fault === undefined) return true;
    this.#fail(new Http2Fault(ERROR.compressionError, fault));
    return false;
  }

  #openStream(
    bytes: Uint8Array,
    start: number,
    end: number,
    endsStream: boolean,
    id: number,
  ): void {
    this.#lastStreamId = id;
    const { table } = this.#decoder;
    const isSame = this.#lastInserted === table.inserted && this.#lastTableSize === table.maxSize;
    let request = isSame ? this.#last.find(bytes, start, end) : undefined;
    let expected = endsStream ? 0 : -1;
    if (request === undefined) {
      const { inserted, maxSize } = table;
      if (!this.#decode(bytes, start, end, this.#fields)) return;
      const head = this.#fields.finish();
      if (head instanceof MalformedRequest) {
        this.#resetUnopened(id, ERROR.protocolError);
        return this.#note("made you reset");
      }
      if ("contentLength" in head && head.contentLength >= 0) {
        // RFC 9113 8.1.1
        if (endsStream && head.contentLength > 0) {
          this.#resetUnopened(id, ERROR.protocolError);
          return this.#note("made you reset");
        }
        expected = head.contentLength;
      }
      if (head instanceof RefusedHead && head.refusal.status === 431) {
        this.#note("oversized heads");
        if (this.#fault) return;
      }
      request = this.#events.parse(head);
      // A block that changes the dynamic table would decode differently the next time, and a
      // request with a Content-Length has to be tracked.
      const isRepeatable = inserted === table.inserted && maxSize === table.maxSize;
      if (isRepeatable && !("contentLength" in head && head.contentLength >= 0)) {
        this.#last.keep(bytes, start, end, request);
        this.#lastInserted = inserted;
        this.#lastTableSize = maxSize;
      }
    }
    if (id > this.#acceptedStreamId) return this.#ended.add(id, "reset by this side");
    if (this.streams.size >= this.#limits.maxConcurrentStreams) return this.#refuse(id);
    const { initialWindowSize } = this.#peer;
    const stream = new Http2Stream(id, initialWindowSize, STREAM_WINDOW, endsStream, expected);
    this.streams.set(id, stream);
    this.#abuse.allowWindowUpdates();
    if (this.#events.request(stream, request)) return;
    this.streams.delete(id);
    this.#refuse(id);
  }

  /** RFC 9113 8.7: the client may retry the request. */
  #refuse(id: number): void {
    this.#resetUnopened(id, ERROR.refusedStream);
    this.#note("refused streams");
  }

  #readTrailers(
    stream: Http2Stream,
    bytes: Uint8Array,
    start: number,
    end: number,
    endsStream: boolean,
  ): void {
    const trailers = new TrailerFields(this.#limits.maxTrailerBytes);
    if (!this.#decode(bytes, start, end, trailers)) return;
    if (stream.isRemoteClosed) return this.#failStream(stream, ERROR.streamClosed);
    // RFC 9113 8.1: trailers end the request.
    if (!endsStream || trailers.fault !== undefined || stream.expected > 0) {
      return this.#failStream(stream, ERROR.protocolError);
    }
    this.#endRemote(stream);
  }

  /** RFC 9113 5.3.2: ignored except for the frame size. */
  #readPriority(start: number, end: number, id: number): void {
    if (id === 0) return this.#fail(protocolError("PRIORITY on no stream"));
    if (end - start === 5) return this.#note("ignored frames");
    const stream = this.streams.get(id);
    if (stream === undefined) return this.#fail(frameSizeError("PRIORITY that is not 5 bytes"));
    this.#failStream(stream, ERROR.frameSizeError);
  }

  #readRstStream(bytes: Uint8Array, start: number, end: number, id: number): void {
    if (end - start !== 4) return this.#fail(frameSizeError("RST_STREAM that is not 4 bytes"));
    if (id === 0 || this.#isIdle(id)) return this.#fail(protocolError("RST_STREAM on no stream"));
    const stream = this.streams.get(id);
    if (stream === undefined) return this.#note("ignored frames");
    this.#close(stream, "reset by the peer");
    stream.handler?.lost(readU32(bytes, start), true);
    this.#note("rapid reset");
  }

  #readSettings(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    if (id !== 0) return this.#fail(protocolError("SETTINGS on a stream"));
    const length = end - start;
    if (flags & FLAG.ack) {
      if (length > 0) this.#fail(frameSizeError("an acknowledgement of SETTINGS with settings"));
      return;
    }
    if (length % 6 !== 0) return this.#fail(frameSizeError("SETTINGS with half a setting"));
    this.#note("settings flood");
    const before = this.#peer.initialWindowSize;
    const fault = this.#fault ?? this.#peer.apply(bytes, start, end);
    if (fault) return this.#fail(fault);
    this.#encoder.allowTableSize(this.#peer.headerTableSize);
    if (!this.#moveWindows(this.#peer.initialWindowSize - before)) return;
    this.output.settingsAck();
    if (this.#blocked.size > 0) this.pump();
  }

  /** RFC 9113 6.9.2: adjusts the windows of open streams, even below zero. */
  #moveWindows(difference: number): boolean {
    for (const stream of this.streams.values()) {
      stream.sendWindow += difference;
      if (stream.sendWindow <= MAX_WINDOW) continue;
      this.#fail(new Http2Fault(ERROR.flowControlError, "a window above 2^31 - 1"));
      return false;
    }
    return true;
  }

  #readPing(bytes: Uint8Array, start: number, end: number, flags: number, id: number): void {
    if (id !== 0) return this.#fail(protocolError("PING on a stream"));
    if (end - start !== 8) return this.#fail(frameSizeError("PING that is not 8 bytes"));
    if (flags & FLAG.ack) {
      this.#isShutdownAcknowledged ||= SHUTDOWN_PING.every((byte, i) => byte === bytes[start + i]);
      return;
    }
    this.#note("ping flood");
    if (!this.#fault) this.output.ping(true, bytes, start);
  }

  #readGoaway(start: number, end: number, id: number): void {
    if (id !== 0) return this.#fail(protocolError("GOAWAY on a stream"));
    if (end - start < 8) return this.#fail(frameSizeError("GOAWAY of less than 8 bytes"));
    if (this.#isPeerLeaving) this.#note("ignored frames");
    this.#isPeerLeaving = true;
  }

  #readWindowUpdate(bytes: Uint8Array, start: number, end: number, id: number): void {
    if (end - start !== 4) return this.#fail(frameSizeError("WINDOW_UPDATE that is not 4 bytes"));
    const increment = readU32(bytes, start) & MAX_WINDOW;
    if (id === 0) {
      if (increment === 0) return this.#fail(protocolError("an increment of 0"));
      this.#sendWindow += increment;
      if (this.#sendWindow > MAX_WINDOW) {
        return this.#fail(
          new Http2Fault(ERROR.flowControlError, "the connection's window above 2^31 - 1"),
        );
      }
    } else {
      if (this.#isIdle(id)) return this.#fail(protocolError("WINDOW_UPDATE on no stream"));
      const stream = this.streams.get(id);
      // RFC 9113 6.9: may arrive for a closed stream.
      if (stream !== undefined) {
        if (increment === 0) return this.#failStream(stream, ERROR.protocolError);
        stream.sendWindow += increment;
        if (stream.sendWindow > MAX_WINDOW) {
          return this.#failStream(stream, ERROR.flowControlError);
        }
      }
    }
    if (!this.#abuse.noteWindowUpdate()) return this.#failForAbuse("window update flood");
    if (this.#blocked.size > 0) this.pump();
  }

  /** True for a stream that was never opened. */
  #isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.#lastStreamId;
  }
}

const SHUTDOWN_PING = new TextEncoder().encode("shutdown");
