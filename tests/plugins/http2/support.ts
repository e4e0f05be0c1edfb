/**
 * HTTP/2 conversations in text: what the client sends and what the server answers, frame by frame.
 *
 * @module
 */
import type { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import type { Context } from "../../../core/api/types.ts";
import { http2, type Http2Options } from "../../../plugins/http2.ts";
import { ByteWriter } from "../../../plugins/http2/byte_writer.ts";
import {
  ERROR,
  errorName,
  FLAG,
  FRAME,
  FRAME_HEADER_BYTES,
  FrameWriter,
  PREFACE,
} from "../../../plugins/http2/frames.ts";
import { HpackDecoder } from "../../../plugins/http2/hpack/decoder.ts";
import { HpackEncoder } from "../../../plugins/http2/hpack/encoder.ts";
import type { FetchApp } from "../../../plugins/shared/http/fetch_app.ts";
import {
  type FakeSocket,
  type LogLine,
  type PairOptions,
  settle,
  socketPair,
  testContext,
} from "../../support/fake_socket.ts";

/** A connection that is being served. */
export interface Served {
  readonly client: FakeSocket;
  readonly server: FakeSocket;
  readonly clock: VirtualClock;
  readonly lines: LogLine[];
  /** Settles when the handler has. */
  readonly finished: Promise<void>;
  /** Closes as a stack does. */
  stop(): void;
  /**
   * Sends frames, one per line, in one write, and runs all pending work: `HEADERS 1 END_STREAM GET
   * /path name=value`, `DATA 1 "text"`, `SETTINGS INITIAL_WINDOW_SIZE=0`, `RST_STREAM 1 CANCEL`,
   * `WINDOW_UPDATE 0 1`, `PING 0102030405060708`, `GOAWAY 0 NO_ERROR`, `FRAME 22 0 0 payload`,
   * `PREFACE`, `FIN`, `BYTES 0a0b`.
   */
  send(...frames: string[]): Promise<void>;
  /** The frames received since the last call, in the same notation. */
  received(): string[];
}

/** Options of {@link serve}, in addition to those of the plugin. */
export interface ServeOptions extends Http2Options {
  pair?: PairOptions;
  context?: Partial<Context>;
  /** `false` if only the test reads from the client. */
  collect?: boolean;
  /** Print only the length of DATA, not its bytes. */
  counts?: boolean;
}

const SETTINGS: Readonly<Record<string, number>> = {
  HEADER_TABLE_SIZE: 1,
  ENABLE_PUSH: 2,
  MAX_CONCURRENT_STREAMS: 3,
  INITIAL_WINDOW_SIZE: 4,
  MAX_FRAME_SIZE: 5,
  MAX_HEADER_LIST_SIZE: 6,
  ENABLE_CONNECT_PROTOCOL: 8,
};
const TYPES = Object.keys(FRAME).map((name) => name.replace(/[A-Z]/g, "_$&").toUpperCase());
const FLAGS: Readonly<Record<string, number>> = {
  ACK: FLAG.ack,
  END_STREAM: FLAG.endStream,
  PADDED: FLAG.padded,
  PRIORITY: FLAG.priority,
};

/** Serves `app`, which may be just a fetch function, on a new connection. */
export function serve(
  app: FetchApp | FetchApp["fetch"],
  options: ServeOptions = {},
): Served {
  const { pair, context: overrides, collect = true, counts = false, ...rest } = options;
  const { client, server } = socketPair(pair);
  const { context, clock, lines, stop } = testContext(server, overrides);
  const plugin = http2(typeof app === "function" ? { fetch: app } : app, rest);
  // As a stack does: closed when the handler settles, aborted when it throws.
  const finished = Promise.resolve(plugin.handle!(context, () => Promise.resolve()))
    .then(() => void server.close(), (error) => {
      server.abort(error);
      throw error;
    });
  finished.catch(() => {});
  const writer = new ClientFrames();
  const reader = new ServerFrames(counts);
  if (collect) void collectInto(client, reader);
  return {
    client,
    server,
    clock,
    lines,
    finished,
    stop,
    async send(...frames) {
      const hasFin = frames.at(-1) === "FIN";
      const bytes = writer.write(hasFin ? frames.slice(0, -1) : frames);
      if (bytes.length > 0) {
        const written = client.write(bytes).catch(() => {});
        await Promise.race([written, settle()]);
      }
      if (hasFin) await client.closeWrite();
      await settle();
    },
    received: () => reader.take(),
  };
}

/** The client's preface, which a test sends first. */
export const HELLO = ["PREFACE", "SETTINGS"];
/** The server's preface, and its answer to the client's (RFC 9113 3.4). */
export const WELCOME = [
  "SETTINGS MAX_CONCURRENT_STREAMS=100 INITIAL_WINDOW_SIZE=262144 MAX_HEADER_LIST_SIZE=32768 " +
  "ENABLE_CONNECT_PROTOCOL=1",
  "WINDOW_UPDATE 0 983041",
  "SETTINGS ACK",
];

/**
 * Plays a conversation: lines with `>` are sent; the lines with `<` are everything received before
 * the next `>`. A line ending in `...` matches any frame with that beginning. Returns the script
 * with the received frames in place of the expected ones, so that `expect(played).toEqual(script)`
 * shows the differences. The conversation starts after the prefaces unless the script has its own.
 */
export async function play(
  script: string,
  app: FetchApp | FetchApp["fetch"],
  options: ServeOptions = {},
): Promise<{ played: string[]; expected: string[] }> {
  const expected = script.trim().split("\n").map((line) => line.trim()).filter((line) =>
    line !== ""
  );
  const served = serve(app, options);
  if (!expected[0]!.includes("PREFACE") && !expected[0]!.includes("BYTES")) {
    await served.send(...HELLO);
    served.received();
  }
  const played: string[] = [];
  for (let at = 0; at < expected.length;) {
    const sent: string[] = [];
    while (expected[at]?.startsWith(">")) {
      played.push(expected[at]!);
      sent.push(expected[at++]!.slice(2));
    }
    const [wait] = sent;
    if (wait?.startsWith("WAIT ")) await served.clock.advance(Number(wait.slice(5)));
    else await served.send(...sent);
    await settle();
    for (const line of served.received()) {
      const wanted = expected[at]?.slice(2);
      const isBeginning = wanted?.endsWith("...") && line.startsWith(wanted.slice(0, -3));
      played.push(isBeginning ? expected[at]! : `< ${line}`);
      if (expected[at]?.startsWith("<")) at++;
    }
    while (expected[at]?.startsWith("<")) at++;
  }
  served.client.abort();
  await served.finished.catch(() => {});
  return { played, expected };
}

/** Writes frames of a client. */
export class ClientFrames {
  readonly #encoder = new HpackEncoder();

  /** The bytes of `frames`. */
  write(frames: readonly string[]): Uint8Array<ArrayBuffer> {
    const out = new FrameWriter(64);
    for (const frame of frames) this.#put(out, frame);
    return out.bytes.slice(0, out.length);
  }

  #put(out: FrameWriter, frame: string): void {
    const [type, ...words] = frame.match(/[^\s"]*"[^"]*"|\S+/g) ?? [];
    switch (type) {
      case "PREFACE":
        return out.writeBytes(PREFACE, 0, PREFACE.length);
      case "BYTES": {
        const bytes = fromHex(words.join(""));
        return out.writeBytes(bytes, 0, bytes.length);
      }
      case "FRAME": {
        const [number, flags, stream, payload = ""] = words;
        const bytes = fromHex(payload);
        out.header(bytes.length, Number(number), Number(flags), Number(stream));
        return out.writeBytes(bytes, 0, bytes.length);
      }
      case "SETTINGS":
        if (words[0] === "ACK") return out.settingsAck();
        return out.settings(...words.flatMap((word) => {
          const [name, value] = word.split("=");
          return [SETTINGS[name!] ?? Number(name), Number(value)];
        }));
      case "PING":
        if (words[0] === "ACK") return out.ping(true, fromHex(words[1]!), 0);
        return out.ping(false, fromHex(words[0]!), 0);
      case "GOAWAY":
        return out.goaway(Number(words[0]), codeOf(words[1]!), "");
      case "RST_STREAM":
        return out.rstStream(Number(words[0]), codeOf(words[1]!));
      case "WINDOW_UPDATE":
        return out.windowUpdate(Number(words[0]), Number(words[1]));
      case "PRIORITY":
        out.header(5, FRAME.priority, 0, Number(words[0]));
        return out.writeBytes(fromHex("0000000010"), 0, 5);
      case "DATA":
      case "HEADERS":
      case "CONTINUATION":
        return this.#putPadded(out, type, words);
      default:
        throw new Error(`not a frame: ${frame}`);
    }
  }

  #putPadded(out: FrameWriter, type: string, [stream, ...words]: string[]): void {
    let flags = type === "DATA" ? 0 : FLAG.endHeaders as number;
    const before: number[] = [];
    let padding = 0;
    const block = new ByteWriter(64);
    const fields: string[] = [];
    for (const word of words) {
      const [, name = "", text = ""] = /^([^=]+)=(.*)$/s.exec(word) ?? [];
      const value = text.replace(/^"(.*)"$/s, "$1");
      if (word === "-END_HEADERS") flags &= ~FLAG.endHeaders;
      else if (name === "PADDED") {
        flags |= FLAG.padded;
        padding = Number(value);
        before.unshift(padding);
      } else if (word === "PRIORITY") {
        flags |= FLAG.priority;
        before.push(0, 0, 0, 0, 16);
      } else if (FLAGS[word] !== undefined) flags |= FLAGS[word]!;
      else if (name === "block") block.writeBytes(fromHex(value), 0, value.length / 2);
      else if (name === "zeros") block.reserve(Number(value));
      else if (/^".*"$/s.test(word)) block.writeText(word.slice(1, -1));
      else if (/^[A-Za-z]+$/.test(word)) {
        fields.push(`:method=${word}`, ":scheme=http", ":authority=berth.test");
      } else if (/^[/*]/.test(word)) fields.push(`:path=${word}`);
      else fields.push(`${name}=${value}`);
    }
    if (type !== "DATA") this.#encoder.begin(block);
    for (const field of fields) {
      const at = field.indexOf("=", 1);
      this.#encoder.field(block, field.slice(0, at), field.slice(at + 1));
    }
    const code = type === "DATA"
      ? FRAME.data
      : FRAME[type === "HEADERS" ? "headers" : "continuation"];
    // A pad length above 200 is written without the padding.
    const zeros = padding > 200 ? 0 : padding;
    out.header(before.length + block.length + zeros, code, flags, Number(stream));
    for (const byte of before) out.writeByte(byte);
    out.writeBytes(block.bytes, 0, block.length);
    out.reserve(zeros);
  }
}

/** Reads frames of a server. */
export class ServerFrames {
  readonly #decoder = new HpackDecoder();
  readonly #countsOnly: boolean;
  #rest: Uint8Array = new Uint8Array(0);
  #frames: string[] = [];
  /** Bytes of DATA for each stream. */
  readonly bytes: Map<number, number> = new Map();

  /** If `countsOnly`, DATA is printed as its length. */
  constructor(countsOnly = false) {
    this.#countsOnly = countsOnly;
  }

  /** Parses bytes of the server. */
  read(bytes: Uint8Array): void {
    const all = new Uint8Array(this.#rest.length + bytes.length);
    all.set(this.#rest);
    all.set(bytes, this.#rest.length);
    let at = 0;
    while (all.length - at >= FRAME_HEADER_BYTES) {
      const length = all[at]! << 16 | all[at + 1]! << 8 | all[at + 2]!;
      const end = at + FRAME_HEADER_BYTES + length;
      if (end > all.length) break;
      this.#frames.push(this.#print(all.subarray(at, end)));
      at = end;
    }
    this.#rest = all.slice(at);
  }

  /** Records an event that is not a frame. */
  note(line: string): void {
    this.#frames.push(line);
  }

  /** The frames since the last call. */
  take(): string[] {
    return this.#frames.splice(0);
  }

  #print(frame: Uint8Array): string {
    const type = TYPES[frame[3]!] ?? `FRAME ${frame[3]}`;
    const flags = frame[4]!;
    const stream = u32(frame, 5);
    const payload = frame.subarray(FRAME_HEADER_BYTES);
    const end = flags & FLAG.endStream ? " END_STREAM" : "";
    switch (type) {
      case "SETTINGS":
        return flags & FLAG.ack ? "SETTINGS ACK" : `SETTINGS ${settingsOf(payload).join(" ")}`;
      case "PING":
        return `PING ${flags & FLAG.ack ? "ACK " : ""}${toHex(payload)}`;
      case "GOAWAY":
        return `GOAWAY ${u32(payload, 0)} ${errorName(u32(payload, 4))}`;
      case "RST_STREAM":
        return `RST_STREAM ${stream} ${errorName(u32(payload, 0))}`;
      case "WINDOW_UPDATE":
        return `WINDOW_UPDATE ${stream} ${u32(payload, 0)}`;
      case "HEADERS":
        return `HEADERS ${stream}${end} ${this.#fieldsOf(payload).join(" ")}`;
      case "DATA":
        this.bytes.set(stream, (this.bytes.get(stream) ?? 0) + payload.length);
        if (this.#countsOnly) return `DATA ${stream}${end} ${payload.length}`;
        return `DATA ${stream}${end} "${String.fromCharCode(...payload)}"`;
      default:
        return `${type} ${flags} ${stream} ${toHex(payload)}`;
    }
  }

  #fieldsOf(block: Uint8Array): string[] {
    const fields: string[] = [];
    const fault = this.#decoder.decode(block, 0, block.length, {
      field: (name, value) => {
        if (name !== "date") fields.push(`${name}=${value}`);
      },
    });
    return fault === undefined ? fields : [`undecodable: ${fault}`];
  }
}

function settingsOf(payload: Uint8Array): string[] {
  const names = Object.keys(SETTINGS);
  const settings: string[] = [];
  for (let at = 0; at < payload.length; at += 6) {
    const number = payload[at]! << 8 | payload[at + 1]!;
    const name = names.find((each) => SETTINGS[each] === number) ?? number;
    settings.push(`${name}=${u32(payload, at + 2)}`);
  }
  return settings;
}

function codeOf(name: string): number {
  const found = Object.values(ERROR).find((code) => errorName(code) === name);
  return found ?? Number(name);
}

function u32(bytes: Uint8Array, at: number): number {
  return (bytes[at]! << 24 | bytes[at + 1]! << 16 | bytes[at + 2]! << 8 | bytes[at + 3]!) >>> 0;
}

function fromHex(digits: string): Uint8Array<ArrayBuffer> {
  return Uint8Array.from(
    { length: digits.length / 2 },
    (_, i) => parseInt(digits.slice(2 * i, 2 * i + 2), 16),
  );
}

function toHex(bytes: Uint8Array): string {
  return Array.from(bytes, (byte) => byte.toString(16).padStart(2, "0")).join("");
}

async function collectInto(client: FakeSocket, reader: ServerFrames): Promise<void> {
  const buffer = new Uint8Array(65_536);
  try {
    while (true) {
      const count = await client.read(buffer);
      if (count === null) return reader.note("FIN");
      reader.read(buffer.subarray(0, count));
    }
  } catch {
    reader.note("RST");
  }
}
