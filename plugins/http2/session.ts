/**
 * The server's side of one HTTP/2 connection (RFC 9113), sans-IO: bytes and calls in, frames and events
 * out. The time is an argument.
 *
 * @module
 */
import { type Abuse, AbuseCounts } from "./abuse.ts";
import { DataSender } from "./data_sender.ts";
import { frameSizeError, Http2Fault, MalformedRequest, protocolError } from "./fault.ts";
import { MAX_WINDOW, ReceiveWindow } from "./flow_control.ts";
import { type FrameHandler, FrameReader } from "./frame_reader.ts";
import { ERROR, type ErrorCode, FRAME_HEADER_BYTES, FrameWriter } from "./frames.ts";
import { HpackEncoder } from "./hpack/encoder.ts";
import { RequestDecoder } from "./request_decoder.ts";
import type { HeadLimits, Http2RequestHead, RefusedHead } from "./request_fields.ts";
import { DEFAULT_MAX_FRAME_SIZE, DEFAULT_WINDOW, PeerSettings, SETTING } from "./settings.ts";
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
/** Initial size of the output buffer. */
const OUTPUT_BYTES = 1024;

/** Serves one connection. */
export class Http2Session<Request> {
  readonly #limits: SessionLimits;
  readonly #events: SessionEvents<Request>;
  readonly #reader: FrameReader;
  readonly #decoder: RequestDecoder<Request>;
  readonly #encoder = new HpackEncoder();
  readonly #sender: DataSender;
  readonly #peer = new PeerSettings();
  readonly #abuse = new AbuseCounts();
  readonly #ended = new EndedStreams();
  readonly #window = new ReceiveWindow(CONNECTION_WINDOW, DEFAULT_WINDOW);
  #now = 0;
  #lastStreamId = 0;
  /** Streams above this are not served, since GOAWAY was sent. */
  #acceptedStreamId = MAX_WINDOW;
  #isPeerLeaving = false;
  #isShutdownAcknowledged = false;
  #fault: Http2Fault | undefined;
  #abuseName: Abuse | undefined;

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
    this.#reader = new FrameReader(this.#frameHandler(), limits.maxHeaderBytes, hasPreface);
    this.#decoder = new RequestDecoder(limits, (head) => events.parse(head));
    this.#sender = new DataSender(this.output, (stream, endsStream) => {
      this.#abuse.allowWindowUpdates();
      if (endsStream) this.#closeLocal(stream);
    });
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

  /** The limit that the client exceeded, if this ended the session. */
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
    return this.#reader.isBetweenHeads;
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
    return this.#reader.read(bytes, start, end);
  }

  /** Sends the head of a response; `fields` alternates names, in lower case, and values. */
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
   * Frames `data` as far as the windows and the output buffer allow; the rest follows later. Returns
   * false if some of it has to wait: then the caller sends nothing more on this stream and does not change `data`
   * until `drained`.
   */
  sendData(stream: Http2Stream, data: Uint8Array, endsStream: boolean): boolean {
    return this.#sender.send(stream, data, endsStream);
  }

  /** Frames as much of `data` as fits into one frame now, and returns the number of bytes. */
  trySendData(stream: Http2Stream, data: Uint8Array): number {
    return this.#sender.trySend(stream, data);
  }

  /** {@link sendData} for ASCII text, written into the frame directly. */
  sendText(stream: Http2Stream, text: string, endsStream: boolean): boolean {
    return this.#sender.sendText(stream, text, endsStream);
  }

  /** Frames pending data after the output was sent. */
  pump(): void {
    this.#sender.pump();
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

  /** Sends RST_STREAM (RFC 9113 5.4.2). The stream's handler is not called. */
  reset(stream: Http2Stream, code: ErrorCode): void {
    if (stream.isOver) return;
    this.output.rstStream(stream.id, code);
    this.#close(stream, "reset by this side");
  }

  /** Resets a stream whose windows were not opened in time (RFC 9113 10.5). `now` as for `receive`. */
  resetStalled(stream: Http2Stream, now: number): void {
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

  /** Ends the session with a connection error (RFC 9113 5.4.1). */
  fail(fault: Http2Fault): void {
    if (this.#fault) return;
    this.#fault = fault;
    this.#reader.stop();
    this.output.goaway(this.#lastStreamId, fault.code, fault.reason);
    for (const stream of [...this.streams.values()]) {
      this.#close(stream, "reset by this side");
      stream.handler?.lost(fault.code, false);
    }
  }

  // ---------------------------------------------------------------- streams

  #closeLocal(stream: Http2Stream): void {
    stream.isLocalClosed = true;
    if (stream.isRemoteClosed) this.#close(stream, "ended");
  }

  #close(stream: Http2Stream, end: StreamEnd): void {
    if (stream.isOver) return;
    stream.isOver = true;
    this.#sender.drop(stream);
    this.streams.delete(stream.id);
    this.#ended.add(stream.id, end);
    this.#events.closed(stream);
  }

  // ---------------------------------------------------------------- errors

  #failForAbuse(abuse: Abuse): void {
    this.#abuseName ??= abuse;
    this.fail(new Http2Fault(ERROR.enhanceYourCalm, abuse));
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

  #frameHandler(): FrameHandler {
    return {
      data: (id, bytes, start, end, length, endsStream) =>
        this.#readData(id, bytes, start, end, length, endsStream),
      headerBlock: (id, bytes, start, end, endsStream) =>
        this.#readHeaderBlock(id, bytes, start, end, endsStream),
      priority: (id, isValid) => this.#readPriority(id, isValid),
      rstStream: (id, code) => this.#readRstStream(id, code),
      settings: (bytes, start, end) => this.#readSettings(bytes, start, end),
      ping: (isAck, bytes, start) => this.#readPing(isAck, bytes, start),
      goaway: () => this.#readGoaway(),
      windowUpdate: (id, increment) => this.#readWindowUpdate(id, increment),
      unknown: () => this.#note("ignored frames"),
      fail: (fault) => this.fail(fault),
      failForAbuse: (abuse) => this.#failForAbuse(abuse),
    };
  }

  #readData(
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    length: number,
    endsStream: boolean,
  ): void {
    if (this.#isIdle(id)) return this.fail(protocolError("DATA on an idle stream"));
    if (!this.#window.receive(length)) {
      return this.fail(
        new Http2Fault(ERROR.flowControlError, "DATA exceeds the connection's window"),
      );
    }
    const stream = this.streams.get(id);
    if (stream === undefined || stream.isRemoteClosed) {
      return this.#readLateData(stream, length, id);
    }
    if (!stream.receive.receive(length)) {
      this.#consumeConnection(length);
      return this.#failStream(stream, ERROR.flowControlError);
    }
    const count = end - start;
    if (stream.expected >= 0) {
      stream.expected -= count;
      // RFC 9113 8.1.1
      if (stream.expected < 0 || endsStream && stream.expected > 0) {
        this.#consumeConnection(length);
        return this.#failStream(stream, ERROR.protocolError);
      }
    }
    if (length > count) this.consume(stream, length - count);
    if (count > 0) stream.handler?.data(bytes, start, end);
    else if (!endsStream) this.#note("empty data flood");
    if (endsStream && !stream.isOver) this.#endRemote(stream);
  }

  /** DATA of a closed stream still counts against the connection window. */
  #readLateData(stream: Http2Stream | undefined, length: number, id: number): void {
    this.#consumeConnection(length);
    if (stream !== undefined) return this.#failStream(stream, ERROR.streamClosed);
    if (this.#ended.find(id) === "reset by this side") return this.#note("ignored frames");
    this.fail(new Http2Fault(ERROR.streamClosed, "DATA on a stream that has ended"));
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

  /** The head of a request, or trailers. */
  #readHeaderBlock(
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endsStream: boolean,
  ): void {
    if (id > this.#lastStreamId) return this.#openStream(id, bytes, start, end, endsStream);
    const stream = this.streams.get(id);
    if (stream !== undefined) return this.#readTrailers(stream, bytes, start, end, endsStream);
    const how = this.#ended.find(id);
    if (how === "reset by this side") {
      const fault = this.#decoder.skip(bytes, start, end);
      if (fault) this.fail(fault);
      else this.#note("ignored frames");
    } else if (how !== undefined) {
      this.fail(new Http2Fault(ERROR.streamClosed, "HEADERS on a stream that has ended"));
    } else {
      // RFC 9113 5.1.1: opening a stream closes idle streams with lower identifiers.
      this.fail(protocolError("HEADERS on a stream below the last one"));
    }
  }

  #openStream(
    id: number,
    bytes: Uint8Array,
    start: number,
    end: number,
    endsStream: boolean,
  ): void {
    this.#lastStreamId = id;
    const request = this.#decoder.head(bytes, start, end);
    if (request instanceof Http2Fault) return this.fail(request);
    const { contentLength, isOversized } = this.#decoder;
    // RFC 9113 8.1.1
    if (request instanceof MalformedRequest || endsStream && contentLength > 0) {
      this.#resetUnopened(id, ERROR.protocolError);
      return this.#note("made you reset");
    }
    if (isOversized) this.#note("oversized heads");
    if (this.#fault) return;
    if (id > this.#acceptedStreamId) return this.#ended.add(id, "reset by this side");
    if (this.streams.size >= this.#limits.maxConcurrentStreams) return this.#refuse(id);
    const { initialWindowSize } = this.#peer;
    const expected = endsStream ? 0 : contentLength;
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
    const trailers = this.#decoder.trailers(bytes, start, end);
    if (trailers instanceof Http2Fault) return this.fail(trailers);
    if (stream.isRemoteClosed) return this.#failStream(stream, ERROR.streamClosed);
    // RFC 9113 8.1: trailers end the request.
    if (!endsStream || trailers.fault !== undefined || stream.expected > 0) {
      return this.#failStream(stream, ERROR.protocolError);
    }
    this.#endRemote(stream);
  }

  /** RFC 9113 5.3.2: ignored except for the frame size. */
  #readPriority(id: number, isValid: boolean): void {
    if (isValid) return this.#note("ignored frames");
    const stream = this.streams.get(id);
    if (stream === undefined) return this.fail(frameSizeError("PRIORITY that is not 5 bytes"));
    this.#failStream(stream, ERROR.frameSizeError);
  }

  #readRstStream(id: number, code: ErrorCode): void {
    if (this.#isIdle(id)) return this.fail(protocolError("RST_STREAM on an idle stream"));
    const stream = this.streams.get(id);
    if (stream === undefined) return this.#note("ignored frames");
    this.#close(stream, "reset by the peer");
    stream.handler?.lost(code, true);
    this.#note("rapid reset");
  }

  #readSettings(bytes: Uint8Array, start: number, end: number): void {
    this.#note("settings flood");
    const before = this.#peer.initialWindowSize;
    const fault = this.#fault ?? this.#peer.apply(bytes, start, end);
    if (fault) return this.fail(fault);
    this.#encoder.allowTableSize(this.#peer.headerTableSize);
    if (!this.#moveWindows(this.#peer.initialWindowSize - before)) return;
    this.output.settingsAck();
    this.pump();
  }

  /** RFC 9113 6.9.2: adjusts the windows of open streams, even below zero. */
  #moveWindows(difference: number): boolean {
    for (const stream of this.streams.values()) {
      stream.sendWindow += difference;
      if (stream.sendWindow <= MAX_WINDOW) continue;
      this.fail(new Http2Fault(ERROR.flowControlError, "a window exceeds 2^31 - 1"));
      return false;
    }
    return true;
  }

  #readPing(isAck: boolean, bytes: Uint8Array, start: number): void {
    if (isAck) {
      this.#isShutdownAcknowledged ||= SHUTDOWN_PING.every((byte, i) => byte === bytes[start + i]);
      return;
    }
    this.#note("ping flood");
    if (!this.#fault) this.output.ping(true, bytes, start);
  }

  #readGoaway(): void {
    if (this.#isPeerLeaving) this.#note("ignored frames");
    this.#isPeerLeaving = true;
  }

  #readWindowUpdate(id: number, increment: number): void {
    if (id === 0) {
      if (increment === 0) return this.fail(protocolError("WINDOW_UPDATE with an increment of 0"));
      if (!this.#sender.openWindow(increment)) {
        return this.fail(
          new Http2Fault(ERROR.flowControlError, "the connection's window exceeds 2^31 - 1"),
        );
      }
    } else {
      if (this.#isIdle(id)) return this.fail(protocolError("WINDOW_UPDATE on an idle stream"));
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
    this.pump();
  }

  /** True for a stream that was never opened. */
  #isIdle(id: number): boolean {
    return id % 2 === 0 || id > this.#lastStreamId;
  }
}

const SHUTDOWN_PING = new TextEncoder().encode("shutdown");
