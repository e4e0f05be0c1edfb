import { describe, expect, test } from "bun:test";
import { impair } from "../../../adapters/links/decorators/impair.ts";
import { linkPair } from "../../../adapters/links/memory.ts";
import { seededRandom } from "../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { TcpSocket } from "../../../core/api/types.ts";
import { http2 } from "../../../plugins/http2.ts";
import { FRAME, FRAME_HEADER_BYTES, FrameWriter } from "../../../plugins/http2/frames.ts";
import { ClientFrames, HELLO } from "./support.ts";

const UPLOADS = 6;
/** More than the windows of a stream and of the connection. */
const BYTES = 400_000;

/** The byte at an offset of a stream. */
function pattern(stream: number, at: number): number {
  return (stream * 31 + at * 7 + (at >>> 9)) & 255;
}

/** Sends back the data as it arrives. */
const echo = { fetch: (request: Request) => new Response(request.body) };

/**
 * A client that uploads on several streams at once within its windows, checks each byte of the
 * echo, and opens its own windows in small steps.
 */
class EchoClient {
  readonly #socket: TcpSocket;
  readonly #frames = new ClientFrames();
  #window = 65_535;
  #initialWindow = 65_535;
  readonly #windows = new Map<number, number>();
  readonly #sent = new Map<number, number>();
  readonly #received = new Map<number, number>();
  #ended = 0;
  #unsent: Uint8Array[] = [];
  #isWriting = false;
  /** Number of bytes that differ from what was sent. */
  wrong = 0;
  /** Unexpected frames. */
  readonly unwanted: string[] = [];

  constructor(socket: TcpSocket) {
    this.#socket = socket;
  }

  /** Resolves when everything has come back. */
  async run(): Promise<void> {
    this.#put(this.#frames.write([...HELLO]));
    for (let i = 0; i < UPLOADS; i++) {
      const id = 2 * i + 1;
      this.#put(this.#frames.write([`HEADERS ${id} POST /`]));
      this.#sent.set(id, 0);
      this.#received.set(id, 0);
      this.#windows.set(id, this.#initialWindow);
    }
    let rest = new Uint8Array(0);
    const buffer = new Uint8Array(16_384);
    while (this.#ended < UPLOADS) {
      this.#upload();
      const count = await this.#socket.read(buffer);
      if (count === null) throw new Error("the server has ended the connection");
      const all = new Uint8Array(rest.length + count);
      all.set(rest);
      all.set(buffer.subarray(0, count), rest.length);
      let at = 0;
      while (all.length - at >= FRAME_HEADER_BYTES) {
        const end = at + FRAME_HEADER_BYTES + (all[at]! << 16 | all[at + 1]! << 8 | all[at + 2]!);
        if (end > all.length) break;
        this.#read(all.subarray(at, end));
        at = end;
      }
      rest = all.slice(at);
    }
  }

  #read(frame: Uint8Array): void {
    const [, , , type, flags] = frame;
    const id = frame[7]! << 8 | frame[8]!;
    const payload = frame.subarray(FRAME_HEADER_BYTES);
    if (type === FRAME.data) this.#readData(id, payload, (flags! & 1) === 1);
    else if (type === FRAME.windowUpdate) {
      const increment = payload[0]! << 24 | payload[1]! << 16 | payload[2]! << 8 | payload[3]!;
      if (id === 0) this.#window += increment;
      else this.#windows.set(id, (this.#windows.get(id) ?? 0) + increment);
    } else if (type === FRAME.settings && (flags! & 1) === 0) {
      // SETTINGS_INITIAL_WINDOW_SIZE is the second one of this server.
      const initial = payload[8]! << 24 | payload[9]! << 16 | payload[10]! << 8 | payload[11]!;
      for (const [stream, window] of this.#windows) {
        this.#windows.set(stream, window + initial - this.#initialWindow);
      }
      this.#initialWindow = initial;
    } else if (type === FRAME.rstStream || type === FRAME.goaway) {
      this.unwanted.push(`${type} ${id}`);
    }
  }

  #readData(id: number, payload: Uint8Array, ends: boolean): void {
    let at = this.#received.get(id)!;
    for (const byte of payload) if (byte !== pattern(id, at++)) this.wrong++;
    this.#received.set(id, at);
    if (ends) this.#ended += at === BYTES ? 1 : NaN;
    const out = new FrameWriter(32);
    if (payload.length > 0) {
      out.windowUpdate(0, payload.length);
      if (!ends) out.windowUpdate(id, payload.length);
    }
    this.#put(out.bytes.slice(0, out.length));
  }

  #upload(): void {
    for (const [id, sent] of this.#sent) {
      const window = Math.min(this.#window, this.#windows.get(id)!);
      const count = Math.min(BYTES - sent, window, 10_000);
      if (count <= 0 || this.#unsent.length > 20) continue;
      const bytes = Uint8Array.from({ length: count }, (_, i) => pattern(id, sent + i));
      const out = new FrameWriter(count + FRAME_HEADER_BYTES);
      out.data(id, bytes, 0, count, sent + count === BYTES);
      this.#window -= count;
      this.#windows.set(id, this.#windows.get(id)! - count);
      this.#sent.set(id, sent + count);
      this.#put(out.bytes.slice(0, out.length));
    }
  }

  #put(bytes: Uint8Array): void {
    this.#unsent.push(bytes);
    if (!this.#isWriting) void this.#write();
  }

  async #write(): Promise<void> {
    this.#isWriting = true;
    while (this.#unsent.length > 0) {
      await this.#socket.write(this.#unsent.shift()!);
      this.#upload();
    }
    this.#isWriting = false;
  }
}

describe("flow control on a path that loses packets", () => {
  // Six uploads of 400 kB at once, echoed: 2.4 MB each way, 20 ms, 2 % of the packets lost. All
  // uploads are larger than the windows; every byte arrives unchanged.
  test.each([[1], [2]])("moves every byte both ways, seed %i (RFC 9113 5.2)", async (seed) => {
    const clock = new VirtualClock();
    const random = seededRandom(seed);
    const [here, there] = linkPair({ queue: 10_000 });
    const path = impair(here, {
      clock,
      seed,
      delayMs: 10,
      loss: 0.02,
      bitsPerSecond: 100_000_000,
      incoming: { delayMs: 10, loss: 0.02 },
    });
    const tcp = { profile: "internet" as const };
    await using server = createStack({
      link: path,
      addresses: ["10.0.0.1/24"],
      clock,
      random,
      tcp,
    });
    server.use(80, http2(echo));
    await using client = createStack({
      link: there,
      addresses: ["10.0.0.2/24"],
      clock,
      random,
      tcp,
    });
    const echoClient = new EchoClient(client.connect("10.0.0.1:80", { allowHalfOpen: true }));
    await clock.runUntil(echoClient.run());
    expect(echoClient.wrong).toBe(0);
    expect(echoClient.unwanted).toEqual([]);
  }, 60_000);
});
