import { describe, expect, test } from "bun:test";
import type { TcpOptions } from "../../../core/api/config.ts";
import { http, type HttpOptions } from "../../../plugins/http.ts";
import {
  type ContentSource,
  respondPrepared,
} from "../../../plugins/shared/http/prepared_response.ts";
import { bytes, StackPair } from "../../core/api/stack_pair.ts";

/** Content of `size` bytes, each of which is its index modulo 251. */
class Pattern implements ContentSource {
  readonly size: number;
  /** Fails when this many bytes have been read. */
  readonly #breaksAt: number;
  at = 0;
  closed = 0;
  readonly reads: number[] = [];

  constructor(size: number, breaksAt = Infinity) {
    this.size = size;
    this.#breaksAt = breaksAt;
  }

  get left(): number {
    return this.size - this.at;
  }

  read(target: Uint8Array): number {
    if (this.at >= this.#breaksAt) throw new Error("unreadable");
    const count = Math.min(target.length, this.left);
    for (let i = 0; i < count; i++) target[i] = (this.at + i) % 251;
    this.at += count;
    this.reads.push(count);
    return count;
  }

  close(): void {
    this.closed++;
  }
}

/** Requests `content` over a connection of stacks with these buffers. */
async function request(content: Pattern, tcp: TcpOptions = {}, options: HttpOptions = {}) {
  const pair = new StackPair(tcp);
  const fields = ["content-length", `${content.size}`];
  const fetch = () => respondPrepared({ status: 200, fields, content });
  pair.server.use(80, http({ fetch }, options));
  const socket = pair.client.connect("10.0.0.2:80", { allowHalfOpen: true });
  socket.closed.catch(() => {});
  await pair.run(socket.write(bytes("GET / HTTP/1.1\r\nhost: a\r\nconnection: close\r\n\r\n")));
  return { pair, socket };
}

describe("content that is read into the send buffer", () => {
  // Send buffers smaller than a read, and one larger: every byte arrives, and the source is closed once.
  test.each([4096, 10_000, 65_535, 4 * 1024 * 1024])(
    "arrives through a send buffer of %d bytes",
    async (sendBuffer) => {
      const content = new Pattern(300_000);
      const { pair, socket } = await request(content, { sendBuffer });
      await using _ = pair;
      const received = await pair.run(new Response(socket.readable).bytes());
      const body = received.subarray(received.length - content.size);
      expect(body.every((byte, index) => byte === index % 251)).toBe(true);
      expect(new TextDecoder().decode(received.subarray(0, 15))).toBe("HTTP/1.1 200 OK");
      expect([content.left, content.closed]).toEqual([0, 1]);
      expect(Math.max(...content.reads)).toBeLessThanOrEqual(Math.min(sendBuffer, 65_536));
    },
  );

  // The client acknowledges one small segment after the other, but the file is read in larger pieces.
  test("is not read in small pieces for a slow client", async () => {
    const content = new Pattern(300_000);
    const { pair, socket } = await request(content, { sendBuffer: 65_536, receiveBuffer: 4096 });
    await using _ = pair;
    await pair.run(new Response(socket.readable).bytes());
    // 32 KiB on average, half of the pieces cut at the end of the ring's memory.
    expect(content.reads.length).toBeLessThan(2 * 300_000 / 16_384 + 2);
  });

  // The client reads nothing: the write timeout ends the connection, and the source is closed.
  test("ends with the write timeout", async () => {
    const content = new Pattern(300_000);
    const tcp = { sendBuffer: 10_000, receiveBuffer: 10_000 };
    const { pair, socket } = await request(content, tcp, { writeTimeoutMs: 5000 });
    await using _ = pair;
    await pair.clock.advance(4000);
    expect([content.closed, socket.state]).toEqual([0, "ESTABLISHED"]);
    await pair.clock.advance(2000);
    expect([content.closed, socket.state]).toEqual([1, "CLOSED"]);
  });

  // The client resets the connection in the middle.
  test("is closed when the client is gone", async () => {
    const content = new Pattern(300_000);
    const { pair, socket } = await request(content, { sendBuffer: 10_000, receiveBuffer: 10_000 });
    await using _ = pair;
    await pair.clock.advance(100);
    socket.abort();
    await pair.clock.advance(100);
    expect(content.closed).toBe(1);
    expect(content.left).toBeGreaterThan(0);
  });

  // Half of the content cannot be read: the client must not take it for the whole (RFC 9112 8).
  test("aborts the connection if it cannot be read", async () => {
    const content = new Pattern(300_000, 150_000);
    const { pair, socket } = await request(content);
    await using _ = pair;
    const received = new Response(socket.readable).bytes().then(() => "all", ({ code }) => code);
    expect(await pair.run(received)).toBe("CONNECTION_RESET");
    expect(content.closed).toBe(1);
  });
});
