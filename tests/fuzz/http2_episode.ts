/**
 * Feeds an HTTP/2 session frames of every kind, whole, corrupted and truncated, with an application
 * that may do anything at any time.
 *
 * @module
 */
import {
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  FrameWriter,
  PREFACE,
} from "../../plugins/http2/frames.ts";
import { HpackDecoder } from "../../plugins/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../plugins/http2/hpack/encoder.ts";
import { http2OptionsSchema } from "../../plugins/http2/options.ts";
import { CONNECTION_WINDOW, Http2Session, STREAM_WINDOW } from "../../plugins/http2/session.ts";
import type { Http2Stream } from "../../plugins/http2/stream.ts";
import { Dice } from "./dice.ts";

const NAMES = [":method", ":path", ":scheme", ":authority", "host", "x-a", "cookie", "te", "X", ""];
const VALUES = ["GET", "POST", "/", "*", "http", "a.test", "1", "trailers", "\x00", " ", "v"];
const MAX_STREAMS = 20;
const OPTIONS = http2OptionsSchema.parse({ maxConcurrentStreams: MAX_STREAMS });
/** What the application sends. */
const CONTENT = new Uint8Array(60_000);
/** Inputs after which the next connection begins. */
const INPUTS_OF_A_CONNECTION = 60;

/** Corrupts a header block by changing, inserting and removing bytes. */
export function damage(dice: Dice, bytes: Uint8Array): Uint8Array {
  let length = bytes.length;
  const result = new Uint8Array(length + 3);
  result.set(bytes);
  for (let i = dice.below(4); i > 0 && length > 0; i--) {
    const at = dice.below(length);
    const kind = dice.below(4);
    if (kind === 0) result.copyWithin(at, at + 1, length--);
    else if (kind === 1) {
      result.copyWithin(at + 1, at, length++);
      result[at] = dice.byte();
    } else if (kind === 2) result[at] = dice.byte();
    else length = at;
  }
  return result.subarray(0, length);
}

/** Feeds decoders header blocks, corrupted ones and random bytes; counts the results. */
export class HpackEpisode {
  readonly #dice: Dice;
  readonly #out = new FrameWriter(4096);
  #decoder = new HpackDecoder();
  #encoder = new HpackEncoder();
  /** Number of blocks. */
  blocks = 0;
  /** Number of decoded fields. */
  fields = 0;
  /** Number of invalid blocks. */
  faults = 0;

  constructor(seed: number) {
    this.#dice = new Dice(seed);
  }

  /** Feeds this number of blocks. */
  run(blocks: number): void {
    for (let i = 0; i < blocks; i++) this.#step();
  }

  #step(): void {
    const dice = this.#dice;
    this.blocks++;
    const out = this.#out;
    out.length = 0;
    this.#encoder.begin(out);
    const sent: string[] = [];
    for (let i = dice.below(6); i > 0; i--) {
      const name = dice.of(NAMES);
      const value = dice.chance(0.5) ? dice.of(VALUES) : "v".repeat(dice.below(200));
      this.#encoder.field(out, name, value);
      sent.push(name, value);
    }
    const block = out.bytes.slice(0, out.length);
    const given = dice.chance(0.3) ? block : damage(dice, block);
    const isWhole = given === block;
    const found: string[] = [];
    const fault = this.#decoder.decode(given, 0, given.length, {
      field: (name, value) => void found.push(name, value),
    });
    this.fields += found.length / 2;
    const { table } = this.#decoder;
    let size = 0;
    for (let at = 0; at < table.length; at++) {
      size += table.name(at).length + table.value(at).length + 32;
    }
    check(size === table.size && size <= 4096, "the table's size is that of its entries");
    if (isWhole) check(fault === undefined && same(found, sent), "an intact block is decoded");
    if (isWhole && !dice.chance(0.01)) return;
    // The tables of the two ends differ from here on.
    if (fault !== undefined) this.faults++;
    this.#decoder = new HpackDecoder();
    this.#encoder = new HpackEncoder();
  }
}

/** Feeds sessions frames; throws on a finding. */
export class Http2Episode {
  readonly #dice: Dice;
  readonly #out = new FrameWriter(65_536);
  #session!: Http2Session<string>;
  #encoder!: HpackEncoder;
  #responses!: HpackDecoder;
  #nextId = 1;
  #left = 0;
  #now = 0;
  #bytes: Uint8Array = new Uint8Array(0);
  /** The connection's send window, as far as the client knows. */
  #window = 65_535;
  /** Streams that the application is serving. */
  #open = new Set<Http2Stream>();
  #unread = new Map<Http2Stream, number>();
  #hasFailed = false;
  /** Number of inputs. */
  inputs = 0;
  /** Number of requests that reached the application. */
  requests = 0;
  /** Number of frames sent by the server. */
  frames = 0;
  /** Number of connections that ended with an error, by its name. */
  readonly faults: Map<string, number> = new Map();

  constructor(seed: number) {
    this.#dice = new Dice(seed);
  }

  /** Feeds this number of inputs. */
  run(inputs: number): void {
    for (let i = 0; i < inputs; i++) this.#step();
  }

  #begin(): void {
    const hasPreface = this.#dice.chance(0.5);
    this.#session = new Http2Session<string>(OPTIONS, {
      parse: (head) => `${head.method} ${head.target}`,
      request: (stream) => this.#request(stream),
      closed: (stream) => void this.#open.delete(stream),
    }, hasPreface);
    this.#encoder = new HpackEncoder();
    this.#responses = new HpackDecoder();
    this.#left = INPUTS_OF_A_CONNECTION;
    this.#nextId = 1;
    this.#window = 65_535;
    this.#open.clear();
    this.#unread.clear();
    this.#hasFailed = false;
    const hello = new FrameWriter(64);
    if (!hasPreface) hello.writeBytes(PREFACE, 0, PREFACE.length);
    if (this.#dice.chance(0.97)) hello.settings();
    this.#bytes = hello.bytes.slice(0, hello.length);
  }

  #request(stream: Http2Stream): boolean {
    if (this.#dice.chance(0.05)) return false;
    this.requests++;
    this.#open.add(stream);
    check(this.#session.streams.size <= MAX_STREAMS, "no more streams than allowed");
    stream.handler = {
      data: (_bytes, start, end) => {
        const unread = (this.#unread.get(stream) ?? 0) + end - start;
        this.#unread.set(stream, unread);
        check(unread <= STREAM_WINDOW, "no more data than the window of a stream");
      },
      end: () => {},
      drained: () => {},
      lost: () => check(stream.isOver, "a stream that was reset is closed"),
    };
    return true;
  }

  #step(): void {
    const dice = this.#dice;
    this.inputs++;
    this.#now += dice.below(20);
    if (this.#left-- <= 0 || this.#hasFailed) this.#begin();
    const out = this.#out;
    out.length = 0;
    for (let i = 1 + dice.below(4); i > 0; i--) this.#putFrame(out);
    let more: Uint8Array = out.bytes.slice(0, out.length);
    if (dice.chance(0.03)) {
      more = damage(dice, more);
      this.#window = Infinity; // A corrupted frame may have opened the window by any amount.
    }
    const all = new Uint8Array(this.#bytes.length + more.length);
    all.set(this.#bytes);
    all.set(more, this.#bytes.length);
    // A part of it now, the rest with the next input.
    const end = dice.chance(0.2) ? dice.below(all.length + 1) : all.length;
    const read = this.#session.receive(all, 0, end, this.#now);
    check(read >= 0 && read <= end, "no more than the input is read");
    this.#bytes = all.slice(read);
    if (this.#bytes.length > 40_000) this.#left = 0;
    this.#act();
    this.#readOutput();
    let unread = 0;
    for (const bytes of this.#unread.values()) unread += bytes;
    check(unread <= CONNECTION_WINDOW, "no more data than the window of the connection");
    const { fault } = this.#session;
    if (fault === undefined) return;
    this.#hasFailed = true;
    this.faults.set(fault.codeName, (this.faults.get(fault.codeName) ?? 0) + 1);
    check(this.#session.streams.size === 0, "no stream is open after a connection error");
  }

  /** An action of the application. */
  #act(): void {
    const dice = this.#dice;
    for (const stream of [...this.#open]) {
      if (dice.chance(0.5)) continue;
      const unread = this.#unread.get(stream) ?? 0;
      if (unread > 0 && dice.chance(0.5)) {
        this.#unread.set(stream, 0);
        this.#session.consume(stream, unread);
      }
      const kind = dice.below(8);
      if (kind === 0) this.#session.reset(stream, dice.below(14));
      else if (kind < 3 && stream.pending === undefined) {
        this.#session.sendHead(
          stream,
          dice.of([200, 302, 404]),
          ["x-a", dice.of(VALUES)],
          dice.chance(0.2),
        );
      } else if (stream.pending === undefined) {
        const ends = dice.chance(0.5);
        if (dice.chance(0.5)) this.#session.sendText(stream, "x".repeat(dice.below(500)), ends);
        else this.#session.sendData(stream, CONTENT.subarray(0, dice.below(CONTENT.length)), ends);
      }
    }
    for (const [stream, unread] of this.#unread) {
      if (!stream.isOver) continue;
      this.#session.consume(stream, unread);
      this.#unread.delete(stream);
    }
    if (dice.chance(0.002)) this.#session.shutdown();
    if (dice.chance(0.002)) this.#session.goAway(0, "");
  }

  /** The output consists of valid frames, and respects the windows. */
  #readOutput(): void {
    const { output } = this.#session;
    const { bytes, length } = output;
    let at = 0;
    while (at < length) {
      check(length - at >= FRAME_HEADER_BYTES, "frames are whole");
      const size = bytes[at]! << 16 | bytes[at + 1]! << 8 | bytes[at + 2]!;
      check(size <= 16_384, "frames are no larger than every peer accepts");
      const start = at + FRAME_HEADER_BYTES;
      at = start + size;
      check(at <= length, "frames are whole");
      this.frames++;
      this.#checkFrame(bytes, start, at);
    }
    output.length = 0;
    this.#session.pump();
  }

  #checkFrame(bytes: Uint8Array, start: number, end: number): void {
    const type = bytes[start - 6]!;
    if (type === FRAME.data) {
      this.#window -= end - start;
      check(this.#window >= 0, "no more DATA than the client's window");
    } else if (type === FRAME.headers) {
      check((bytes[start - 5]! & FLAG.endHeaders) !== 0, "small heads are one frame");
      const fault = this.#responses.decode(bytes, start, end, { field() {} });
      check(fault === undefined, "the client can decode it");
    }
  }

  // ---------------------------------------------------------------- the client

  #putFrame(out: FrameWriter): void {
    const dice = this.#dice;
    const id = this.#id();
    switch (dice.below(14)) {
      case 0:
      case 1:
      case 2:
      case 3:
        return this.#putHeaders(out);
      case 4:
      case 5: {
        const size = dice.chance(0.9) ? dice.below(300) : dice.below(17_000);
        const flags = dice.below(2) | (dice.chance(0.1) ? FLAG.padded : 0);
        out.header(size, FRAME.data, flags, id);
        out.reserve(size);
        return;
      }
      case 6:
        return out.rstStream(id, dice.below(16));
      case 7: {
        const increment = dice.chance(0.95) ? dice.below(100_000) : dice.below(2 ** 31);
        const stream = dice.chance(0.5) ? 0 : id;
        if (stream === 0) this.#window += increment;
        return out.windowUpdate(stream, increment);
      }
      case 8:
        if (dice.chance(0.7)) return out.settings(dice.below(9), dice.below(70_000));
        return out.settingsAck();
      case 9:
        return out.ping(dice.chance(0.3), PREFACE, 0);
      case 10:
        out.header(5, FRAME.priority, 0, id);
        out.reserve(5);
        return;
      case 11:
        if (dice.chance(0.05)) return out.goaway(id, dice.below(14), "bye");
        return;
      default: {
        if (dice.chance(0.95)) return;
        this.#window = Infinity;
        const size = dice.below(20);
        out.header(size, dice.byte(), dice.byte(), dice.chance(0.5) ? id : 0);
        for (let i = 0; i < size; i++) out.writeByte(dice.byte());
      }
    }
  }

  /** Usually the identifier of an open stream. */
  #id(): number {
    const dice = this.#dice;
    if (dice.chance(0.02)) return dice.below(2 ** 31);
    return Math.max(1, this.#nextId - 2 - 2 * dice.below(6));
  }

  #putHeaders(out: FrameWriter): void {
    const dice = this.#dice;
    const at = out.reserve(FRAME_HEADER_BYTES);
    this.#encoder.begin(out);
    const fields = dice.chance(0.9)
      ? [":method", dice.of(["GET", "POST"]), ":scheme", "http", ":authority", "a", ":path", "/"]
      : [];
    for (let i = dice.below(4); i > 0; i--) {
      if (dice.chance(0.03)) fields.push(dice.of(NAMES), dice.of(VALUES));
      else fields.push("x-a", dice.of(VALUES.slice(0, 8)));
    }
    for (let i = 0; i < fields.length; i += 2) this.#encoder.field(out, fields[i]!, fields[i + 1]!);
    const isNew = dice.chance(0.9);
    const id = isNew ? this.#nextId : this.#id();
    if (isNew) this.#nextId += 2;
    const isCut = dice.chance(0.05);
    const flags = (isCut ? 0 : FLAG.endHeaders) | dice.below(2);
    out.headerAt(at, out.length - at - FRAME_HEADER_BYTES, FRAME.headers, flags, id);
    if (!isCut) return;
    out.header(0, FRAME.continuation, dice.chance(0.9) ? FLAG.endHeaders : 0, id);
  }
}

function same(one: readonly string[], other: readonly string[]): boolean {
  return one.length === other.length && one.every((each, i) => each === other[i]);
}

function check(holds: boolean, what: string): void {
  if (!holds) throw new Error(`it does not hold that ${what}`);
}
