import { describe, expect, test } from "bun:test";
import { deriveSocket } from "../../../../core/api/tcp/derived_socket.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { bytes, codeOf, StackPair } from "../stack_pair.ts";

/** The sockets under test. */
const KINDS: Readonly<Record<string, (socket: TcpSocket) => TcpSocket>> = {
  "a connection": (socket) => socket,
  "a derived socket": (socket) =>
    deriveSocket(socket, {
      readChunk: async () => {
        const chunk = new Uint8Array(64);
        const count = await socket.read(chunk);
        return count === null ? undefined : chunk.subarray(0, count);
      },
      write: (chunk) => socket.write(chunk),
    }),
};
const kinds = Object.keys(KINDS);

/** The peer writes more than all buffers hold: it does not stall but learns of the close. */
async function expectClosed(pair: StackPair, peer: TcpSocket): Promise<void> {
  const end = async () => {
    await peer.write(new Uint8Array(3_000_000));
    await peer.closed;
  };
  const code = codeOf(end());
  await pair.clock.advance(200_000);
  expect(await pair.run(code)).toMatch(/^CONNECTION_RESET$/);
}

describe("readable", () => {
  // As with Deno.Conn, the connection is closed in both directions.
  test.each(kinds)("cancel closes %s (Deno.Conn)", async (kind) => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const socket = KINDS[kind]!(server);
    await pair.run(socket.readable.cancel("enough"));
    expect(await pair.run(client.read(new Uint8Array(9)))).toBe(null);
    expect(await codeOf(socket.write(bytes("x")))).toMatch(/^(CLOSING|CONNECTION_RESET)$/);
    await expectClosed(pair, client);
  });

  // The pending read ends too, without data.
  test.each(kinds)("cancel ends a pending read of %s", async (kind) => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const socket = KINDS[kind]!(server);
    const reader = socket.readable.getReader();
    const pending = reader.read();
    await pair.clock.advance(10);
    await pair.run(reader.cancel("enough"));
    expect(await pair.run(pending)).toEqual({ done: true, value: undefined });
    expect(await pair.run(socket.read(new Uint8Array(9)))).toBe(null);
    await expectClosed(pair, client);
  });

  // Leaving a loop cancels its stream.
  test.each(kinds)("leaving a loop closes %s", async (kind) => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const socket = KINDS[kind]!(server);
    await client.write(bytes("abc"));
    const left = (async () => {
      for await (const chunk of socket.readable) return chunk.length;
    })();
    expect(await pair.run(left)).toBe(3);
    await expectClosed(pair, client);
  });

  // pipeTo cancels its source.
  test.each(kinds)("an aborted pipeTo closes %s", async (kind) => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const socket = KINDS[kind]!(server);
    const controller = new AbortController();
    let size = 0;
    const sink = new WritableStream<Uint8Array>({ write: (chunk) => void (size += chunk.length) });
    const piped = socket.readable.pipeTo(sink, { signal: controller.signal }).catch((e) => e);
    await client.write(bytes("abc"));
    await pair.clock.advance(10);
    controller.abort(new Error("stop"));
    expect(((await pair.run(piped)) as Error).message).toBe("stop");
    expect(size).toBe(3);
    await expectClosed(pair, client);
  });

  // Releasing the lock without cancelling loses no data.
  test("a released reader leaves the next chunk to the next reader", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const first = server.readable.getReader();
    const pending = first.read().catch(() => "released");
    await pair.clock.advance(10);
    first.releaseLock();
    expect(await pair.run(pending)).toBe("released");
    await client.write(bytes("abc"));
    const { value } = await pair.run(server.readable.getReader().read());
    expect(new TextDecoder().decode(value)).toBe("abc");
  });
});

describe("writable", () => {
  // Otherwise the pending write would block forever.
  test.each(kinds)("an aborted pipeTo into %s resets it at once", async (kind) => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const source = new ReadableStream<Uint8Array<ArrayBuffer>>({
      pull: (controller) => controller.enqueue(new Uint8Array(100_000)),
    });
    const controller = new AbortController();
    const { signal } = controller;
    const piped = source.pipeTo(KINDS[kind]!(client).writable, { signal }).catch((e) => e);
    await pair.clock.advance(100);
    controller.abort(new Error("stop"));
    expect(((await pair.run(piped)) as Error).message).toBe("stop");
    expect(await pair.run(codeOf(server.closed))).toBe("CONNECTION_RESET");
  });
});

describe("TcpListener", () => {
  // As with Deno.Listener, the port does not stay open without accept().
  test("leaving a loop closes the listener (Deno.Listener)", async () => {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 7 });
    pair.client.connect("10.0.0.2:7");
    const left = (async () => {
      for await (const socket of listener) return socket.localAddr.port;
    })();
    expect(await pair.run(left)).toBe(7);
    expect(await codeOf(pair.run(pair.client.connect("10.0.0.2:7").opened)))
      .toBe("CONNECTION_REFUSED");
    expect(await codeOf(listener.accept())).toBe("LISTENER_CLOSED");
    pair.server.listen({ port: 7 });
  });

  // Also while it waits for a connection; a generator would wait for that first.
  test("return() of a waiting iterator closes the listener", async () => {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 7 });
    const iterator = listener[Symbol.asyncIterator]();
    const pending = iterator.next();
    await iterator.return?.();
    expect(await pair.run(pending)).toEqual({ done: true, value: undefined });
    expect(await iterator.next()).toEqual({ done: true, value: undefined });
    expect(await codeOf(listener.accept())).toBe("LISTENER_CLOSED");
  });
});

describe("DatagramConn", () => {
  // As with Deno.DatagramConn, the socket can be used further.
  test("leaving a loop leaves the socket open (Deno.DatagramConn)", async () => {
    await using pair = new StackPair();
    const server = pair.server.listenDatagram({ port: 53 });
    const client = pair.client.listenDatagram({ port: 4000 });
    await client.send(bytes("one"), "10.0.0.2:53");
    const left = (async () => {
      for await (const [data] of server) return data.length;
    })();
    expect(await pair.run(left)).toBe(3);
    await client.send(bytes("two"), "10.0.0.2:53");
    expect((await pair.run(server.receive()))[0].length).toBe(3);
  });
});
