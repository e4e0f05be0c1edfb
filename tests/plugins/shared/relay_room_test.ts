import { describe, expect, test } from "bun:test";
import type {
  ClosedListener,
  ReadableListener,
} from "../../../core/api/tcp/connection_listener.ts";
import { type Duplex, relay } from "../../../plugins/shared/relay.ts";
import { StackPair } from "../../core/api/stack_pair.ts";
import { codeOf } from "../../support/conversation.ts";
import { socketPair } from "../../support/fake_socket.ts";

const TOTAL = 3_000_000;

/** Sends numbered bytes from an array that is used again for each view, as a socket of the host does. */
class Source implements Duplex {
  /** Bytes that the other side has taken, and those of views that it did not take whole. */
  taken = 0;
  left = 0;
  abortedWith: unknown;
  readonly closed: Promise<unknown> = new Promise(() => {});
  readonly #shared = new Uint8Array(256 * 1024);
  #lent = 0;

  tryView(room = 0): Uint8Array | null {
    if (this.taken === TOTAL) return null;
    const size = Math.min(room, this.#shared.length, TOTAL - this.taken);
    for (let i = 0; i < size; i++) this.#shared[i] = byteAt(this.taken + i);
    this.#lent = size;
    return this.#shared.subarray(0, size);
  }

  consume(count: number): void {
    this.taken += count;
    this.left += this.#lent - count;
    this.#shared.fill(0);
  }

  whenReadable(_listener: ReadableListener): boolean {
    return false;
  }

  onClosed(_listener: ClosedListener): void {}

  read(): Promise<null> {
    return Promise.resolve(null);
  }

  write(p: Uint8Array): Promise<number> {
    return Promise.resolve(p.length);
  }

  closeWrite(): Promise<void> {
    return Promise.resolve();
  }

  close(): void {}

  abort(reason?: unknown): void {
    this.abortedWith = reason;
  }
}

function byteAt(at: number): number {
  return (at * 31 + (at >> 8)) & 255;
}

describe("a relay into a connection of the stack", () => {
  // The client reads nothing at first: what does not fit stays in the source.
  test("reads only what there is room for", async () => {
    await using pair = new StackPair({ sendBuffer: 100_000, receiveBuffer: 100_000 });
    const { client, server } = await pair.connect();
    const source = new Source();
    const done = relay(server, source);
    await pair.clock.advance(1000);
    expect(source.taken).toBe(100_000);
    const chunk = new Uint8Array(50_000);
    let received = 0;
    let wrong = 0;
    for (;;) {
      const count = await pair.run(client.read(chunk));
      if (count === null) break;
      for (let i = 0; i < count; i++) if (chunk[i] !== byteAt(received + i)) wrong++;
      received += count;
    }
    expect([received, wrong, source.left]).toEqual([TOTAL, 0, 0]);
    client.close();
    await pair.run(done);
  });

  // The relay waits for room when the client resets.
  test("notices a reset while it waits for room", async () => {
    await using pair = new StackPair({ sendBuffer: 100_000, receiveBuffer: 100_000 });
    const { client, server } = await pair.connect();
    const source = new Source();
    const done = relay(server, source);
    done.catch(() => {});
    await pair.clock.advance(1000);
    client.abort();
    expect(await pair.run(codeOf(done))).toBe("CONNECTION_RESET");
    expect(source.abortedWith).toBeDefined();
  });
});

describe("an exchange through a relay", () => {
  // 64 bytes there, and the same back 3 ms later, ten times: two packets for each exchange.
  test("needs no packet that is only an acknowledgement", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const { client: near, server: target } = socketPair();
    const done = relay(server, near);
    const message = new Uint8Array(64);
    const exchange = async () => {
      await client.write(message);
      expect(await pair.run(target.read(message))).toBe(64);
      await pair.clock.advance(3);
      await target.write(message);
      expect(await pair.run(client.read(message))).toBe(64);
    };
    await exchange();
    const before = pair.server.stats().packetsOut!;
    for (let i = 0; i < 10; i++) await exchange();
    expect(pair.server.stats().packetsOut! - before).toBe(10);
    client.close();
    target.close();
    await pair.run(done);
  });
});

describe("whenWritable", () => {
  // 100 kB are written and not read; the client then reads a little, and then the rest.
  test("calls when there is room worth a read, and not before", async () => {
    await using pair = new StackPair({ sendBuffer: 100_000, receiveBuffer: 20_000 });
    const { client, server } = await pair.connect();
    const socket = server as unknown as {
      room: number;
      whenWritable(listener: { onWritable(): void }): boolean;
    };
    let calls = 0;
    const listener = { onWritable: () => void calls++ };
    expect(socket.whenWritable(listener)).toBe(false);
    while (socket.room > 0) server.tryWrite(new Uint8Array(50_000));
    await pair.clock.advance(10);
    while (socket.room > 0) server.tryWrite(new Uint8Array(socket.room));
    expect(socket.whenWritable(listener)).toBe(true);
    await pair.run(client.read(new Uint8Array(10_000)));
    await pair.clock.advance(100);
    expect([calls, socket.room > 0]).toEqual([0, true]);
    let read = 10_000;
    while (calls === 0 && read < 200_000) {
      read += await pair.run(client.read(new Uint8Array(10_000))) ?? 0;
      await pair.clock.advance(100);
    }
    expect(calls).toBe(1);
    expect(socket.room).toBeGreaterThanOrEqual(32 * 1024);
    client.abort();
    server.abort();
  });
});
