import { describe, expect, test } from "bun:test";
import {
  deriveDirectSocket,
  deriveSocket,
  finishSocket,
  unread,
} from "../../../../core/api/tcp/derived_socket.ts";
import { directReaderOf } from "../../../../core/api/tcp/direct_reader.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { settle, socketPair } from "../../../support/fake_socket.ts";
import { bytes, codeOf, type Connected, readText, StackPair } from "../stack_pair.ts";
import { overStacks } from "./over_stacks.ts";
import { socketConformance } from "./socket_conformance.ts";

const text = (chunk: Uint8Array | undefined) => new TextDecoder().decode(chunk);

/** Reads through the derived socket's own function, in chunks of at most `size` bytes. */
function inChunks(
  base: TcpSocket,
  size: number,
): () => Promise<Uint8Array<ArrayBuffer> | undefined> {
  return async () => {
    const chunk = new Uint8Array(size);
    const count = await base.read(chunk);
    return count === null ? undefined : chunk.subarray(0, count);
  };
}

/** Sockets that behave like the connection itself, derived in every possible way. */
const KINDS: Readonly<Record<string, (base: TcpSocket, chunkSize: number) => TcpSocket>> = {
  "nothing overridden": (base) => deriveSocket(base, {}),
  "reading overridden": (base, size) => deriveSocket(base, { readChunk: inChunks(base, size) }),
  "reading without promises": (base) => {
    const reader = directReaderOf(base);
    return deriveDirectSocket(base, reader === undefined ? {} : { reader });
  },
  "writing overridden": (base) =>
    deriveSocket(base, {
      write: (chunk) => base.write(chunk),
      closeWrite: () => base.closeWrite(),
    }),
  "derived twice": (base, size) => {
    const inner = deriveSocket(base, { readChunk: inChunks(base, size) });
    return deriveSocket(inner, { write: (chunk) => inner.write(chunk) });
  },
};
const kinds = Object.keys(KINDS);

async function withDerived(
  kind: string,
  body: (pair: StackPair, connected: Connected, derived: TcpSocket) => Promise<void>,
  chunkSize = 7,
): Promise<void> {
  await using pair = new StackPair();
  const connected = await pair.connect();
  await body(pair, connected, KINDS[kind]!(connected.server, chunkSize));
}

for (const kind of kinds) {
  socketConformance(
    `a derived socket, ${kind},`,
    () => overStacks(({ client, server }) => [KINDS[kind]!(server, 64), client]),
    { hasSlowWrite: kind === "writing overridden" || kind === "derived twice" },
  );
}

describe("a derived socket", () => {
  // The peer sends everything before it reads; the send buffer is full when the handler returns.
  test("can finish writing although the peer does not read yet", async () => {
    const { client, server } = socketPair({ bufferSize: 10 });
    const derived = deriveSocket(server, {
      closeWrite: async () => {
        await server.write(bytes(" goodbye"));
        await server.closeWrite();
      },
    });
    const sent = client.write(new Uint8Array(100));
    await derived.write(bytes("0123456789"));
    const finished = finishSocket(derived);
    await settle();
    expect(await Promise.race([sent, settle()])).toBe(100);
    expect(await readText(client)).toBe("0123456789 goodbye");
    await finished;
  });

  // close() ends the read, although the source of the bytes and the end of writing are still pending.
  test("ends a read that waits at close()", async () => {
    const { server } = socketPair();
    const ended = Promise.withResolvers<void>();
    const derived = deriveSocket(server, {
      readChunk: () => new Promise(() => {}),
      closeWrite: () => ended.promise,
    });
    const read = derived.read(new Uint8Array(1));
    const next = derived[Symbol.asyncIterator]().next();
    await settle();
    void derived.close();
    expect(await read).toBe(null);
    expect((await next).done).toBe(true);
    expect(server.state).toBe("ESTABLISHED");
    ended.resolve();
  });

  // A chunk for a read that close() has ended is dropped; the source is never asked twice at once.
  test("drops the chunk that comes after close()", async () => {
    const { server } = socketPair();
    const chunks = [Promise.withResolvers<Uint8Array<ArrayBuffer> | undefined>(), undefined];
    let asked = 0;
    const derived = deriveSocket(server, {
      readChunk: () => chunks[asked++]?.promise ?? Promise.resolve(undefined),
      closeWrite: () => server.closeWrite(),
    });
    const read = derived.read(new Uint8Array(1));
    await settle();
    void derived.close();
    expect(await read).toBe(null);
    await settle();
    expect(asked).toBe(1);
    chunks[0]!.resolve(bytes("late"));
    await settle();
    expect(asked).toBe(2);
    expect(await derived.read(new Uint8Array(1))).toBe(null);
  });

  // Request, FIN, response, FIN: each direction ends independently.
  test.each(kinds)(
    "carries bytes and half-closes both ways: %s",
    (kind: string) =>
      withDerived(kind, async (pair, { client }, derived) => {
        await client.write(bytes("question"));
        await client.closeWrite();
        expect(await pair.run(readText(derived))).toBe("question");
        expect(derived.state).toBe("CLOSE-WAIT");
        await derived.write(bytes("answer"));
        await derived.closeWrite();
        expect(await pair.run(readText(client))).toBe("answer");
        await pair.run(Promise.all([client.closed, derived.closed]));
      }),
  );

  // This side half-closes first, and still reads.
  test.each(kinds)(
    "can read but not write after closeWrite(): %s",
    (kind: string) =>
      withDerived(kind, async (pair, { client }, derived) => {
        await derived.write(bytes("first"));
        await derived.closeWrite();
        expect(await codeOf(derived.write(bytes("more")))).toBe("CLOSING");
        expect(await pair.run(readText(client))).toBe("first");
        await client.write(bytes("then"));
        await client.closeWrite();
        expect(await pair.run(readText(derived))).toBe("then");
      }),
  );

  // read(), views(), BYOB readers and streams return the same bytes in the same order.
  test.each(kinds)(
    "can be read in every way: %s",
    (kind: string) =>
      withDerived(kind, async (pair, { client }, derived) => {
        await client.write(bytes("abcdefghijklmnopqrstuvwxyz"));
        const three = new Uint8Array(3);
        expect(await pair.run(derived.read(three))).toBe(3);
        expect(text(three)).toBe("abc");
        expect(await derived.read(new Uint8Array(0))).toBe(0);

        const reader = derived.readable.getReader({ mode: "byob" });
        const byob = await pair.run(reader.read(new Uint8Array(2)));
        expect(text(byob.value as Uint8Array)).toBe("de");
        reader.releaseLock();

        let seen = "";
        for await (const view of derived.views()) {
          seen += text(view);
          if (seen.length === 21) break;
          if (kind === "nothing overridden" || kind === "writing overridden") break;
        }
        await client.closeWrite();
        expect(seen + await pair.run(readText(derived))).toBe("fghijklmnopqrstuvwxyz");
        await derived.writable.getWriter().close();
        expect(await pair.run(readText(client))).toBe("");
      }),
  );

  // Concurrent reads are served in the order in which they were made.
  test.each(kinds)(
    "serves reads in order: %s",
    (kind: string) =>
      withDerived(kind, async (pair, { client }, derived) => {
        const targets = [2, 3, 4].map((size) => new Uint8Array(size));
        const reads = targets.map((target) => derived.read(target));
        await client.write(bytes("aabbbcccc"));
        const counts = await pair.run(Promise.all(reads));
        const read = targets.map((target, i) => text(target.subarray(0, counts[i]!))).join("");
        await client.closeWrite();
        expect(read + await pair.run(readText(derived))).toBe("aabbbcccc");
      }),
  );

  // RST: reads, writes and `closed` reject.
  test.each(kinds)(
    "reports the peer's reset: %s",
    (kind: string) =>
      withDerived(kind, async (pair, { client }, derived) => {
        const read = codeOf(derived.read(new Uint8Array(1)));
        client.abort();
        expect(await pair.run(read)).toBe("CONNECTION_RESET");
        expect(await codeOf(derived.write(bytes("x")))).toBe("CONNECTION_RESET");
        expect(await codeOf(derived.closed)).toBe("CONNECTION_RESET");
      }),
  );

  // abort() resets the base: the peer gets RST.
  test.each(kinds)(
    "aborts its base: %s",
    (kind: string) =>
      withDerived(kind, async (pair, { client, server }, derived) => {
        derived.abort(new Error("enough"));
        expect(await codeOf(server.read(new Uint8Array(1)))).toBe("CONNECTION_ABORTED");
        expect(await pair.run(codeOf(client.closed))).toBe("CONNECTION_RESET");
      }),
  );

  // Data written before close() is delivered, and nothing more is read.
  test.each(kinds)(
    "close() delivers pending writes: %s",
    (kind: string) =>
      withDerived(kind, async (pair, { client }, derived) => {
        const much = new Uint8Array(3_000_000).fill(7);
        const written = derived.write(much);
        const closed = derived.close();
        expect(await derived.read(new Uint8Array(1))).toBe(null);
        expect(await readText(derived)).toBe("");
        expect(await codeOf(derived.write(bytes("late")))).toBe("CLOSING");
        let received = 0;
        await pair.run((async () => {
          for await (const chunk of client) received += chunk.length;
          await client.close();
        })());
        expect(received).toBe(much.length);
        await pair.run(Promise.all([written, closed]));
      }),
  );

  // Both sides write without reading: close() discards received data, so that its writes get
  // through.
  test.each(kinds)(
    "close() drains the data of a peer that does not read: %s",
    (kind: string) =>
      withDerived(kind, async (pair, { client }, derived) => {
        const much = new Uint8Array(8_000_000);
        const sent = client.write(much).then(() => readText(client));
        const written = derived.write(much);
        await pair.clock.advance(1000);
        void derived.close();
        expect((await pair.run(sent)).length).toBe(much.length);
        await pair.run(written);
      }, 65_536),
  );

  // Without reads, at most one chunk is taken from the connection, and the peer has to wait.
  test("reads ahead at most one chunk", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    let calls = 0;
    const chunk = inChunks(server, 10);
    const derived = deriveSocket(server, { readChunk: () => (calls++, chunk()) });
    await client.write(bytes("0123456789abcdefghij"));
    await pair.clock.advance(10);
    expect(calls).toBe(0);
    await derived.read(new Uint8Array(3));
    await derived.read(new Uint8Array(3));
    await pair.clock.advance(10);
    expect(calls).toBe(1);
  });

  // closeWrite() and the second write wait for the first, slow write.
  test("runs writes one after the other, followed by closeWrite()", async () => {
    await using pair = new StackPair();
    const { server } = await pair.connect();
    const order: string[] = [];
    const turns: (() => void)[] = [];
    const derived = deriveSocket(server, {
      write: async (chunk) => {
        order.push(`begins ${text(chunk)}`);
        await new Promise<void>((resolve) => turns.push(resolve));
        order.push(`ends ${text(chunk)}`);
      },
      closeWrite: () => Promise.resolve(void order.push("closes")),
    });
    const all = [derived.write(bytes("a")), derived.write(bytes("b")), derived.closeWrite()];
    const finished = finishSocket(derived);
    await settle();
    expect(order).toEqual(["begins a"]);
    turns.shift()!();
    await settle();
    turns.shift()!();
    await Promise.all([...all, finished]);
    expect(order).toEqual(["begins a", "ends a", "begins b", "ends b", "closes"]);
    expect(server.state).toBe("FIN-WAIT-1");
  });

  // The caller gets the error of the function; the next call runs it again.
  test("propagates errors of its functions", async () => {
    await using pair = new StackPair();
    const { server } = await pair.connect();
    const derived = deriveSocket(server, {
      readChunk: () => Promise.reject(new Error("bad record")),
      write: () => Promise.reject(new Error("bad key")),
    });
    await expect(derived.read(new Uint8Array(1))).rejects.toThrow("bad record");
    await expect(derived[Symbol.asyncIterator]().next()).rejects.toThrow("bad record");
    await expect(derived.write(bytes("x"))).rejects.toThrow("bad key");
  });

  // Middleware can override addresses and protocol; other properties are the connection's.
  test("has the properties of its base unless overridden", async () => {
    await using pair = new StackPair();
    const { server } = await pair.connect();
    const remoteAddr = { transport: "tcp", hostname: "fd00::9", port: 9 } as const;
    const derived = deriveSocket(server, { remoteAddr, alpn: "h2", upgraded: true });
    expect([derived.remoteAddr, derived.localAddr]).toEqual([remoteAddr, server.localAddr]);
    expect(await derived.opened).toEqual({
      remoteAddress: "[fd00::9]:9",
      localAddress: (await server.opened).localAddress,
      alpn: "h2",
    });
    expect([derived.upgraded, derived.state]).toEqual([true, "ESTABLISHED"]);
    expect(derived.stats()).toEqual(server.stats());
    expect(deriveSocket(server, {}).upgraded).toBe(false);
    derived.setNoDelay(false);
    derived.setCork(true);
    derived.setCork(false);
    derived.setKeepAlive(true);
    derived.setLinger(1);
    expect(() => derived.setUserTimeout(0)).toThrow(TypeError);
  });

  // A layer with its own write may have to wait; one that only reads passes writes through.
  test("accepts with tryWrite what its base accepts, unless write is overridden", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const reading = deriveSocket(server, { readChunk: inChunks(server, 100) });
    const writing = deriveSocket(server, { write: (p) => server.write(p) });
    expect(reading.tryWrite(bytes("ab"))).toBe(2);
    expect(writing.tryWrite(bytes("cd"))).toBe(0);
    expect(await pair.run(client.read(new Uint8Array(9)))).toBe(2);
    void reading.close();
    expect(reading.tryWrite(bytes("ef"))).toBe(0);
  });

  // "on-processed": bytes are acknowledged once everything read for them has been processed.
  test("acknowledges only data that it has delivered", async () => {
    await using pair = new StackPair({ acknowledge: "on-processed" });
    const { client, server } = await pair.connect();
    const derived = deriveSocket(server, { readChunk: inChunks(server, 100) });
    await client.write(bytes("abcd"));
    await pair.clock.advance(50);
    await derived.read(new Uint8Array(2));
    derived.acknowledge();
    await pair.clock.advance(50);
    expect(client.stats().unacknowledged).toBe(4);
    await derived.read(new Uint8Array(2));
    derived.acknowledge();
    await pair.clock.advance(50);
    expect(client.stats().unacknowledged).toBe(0);
  });
});

describe("unread", () => {
  // Unread bytes can be read again in every way, followed by those of the connection.
  test("puts bytes before the rest", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    await client.write(bytes("abcdefghi"));
    const head = new Uint8Array(6);
    await pair.run(server.read(head));
    const again = unread(unread(server, head.subarray(3)), head.subarray(0, 3));
    const two = new Uint8Array(2);
    expect(await again.read(two)).toBe(2);
    expect(text(two)).toBe("ab");
    const seen: string[] = [];
    for await (const view of again.views()) {
      seen.push(text(view));
      if (seen.length === 2) break;
    }
    await client.closeWrite();
    expect([...seen, await pair.run(readText(again))]).toEqual(["c", "def", "ghi"]);
  });

  // There is nothing to put back, so the socket is returned.
  test("of no bytes returns the socket itself", async () => {
    await using pair = new StackPair();
    const { server } = await pair.connect();
    expect(unread(server, new Uint8Array(0))).toBe(server);
  });

  // Unread bytes are not acknowledged before they are read again.
  test("delays the acknowledgement of unread bytes", async () => {
    await using pair = new StackPair({ acknowledge: "on-processed" });
    const { client, server } = await pair.connect();
    await client.write(bytes("abcd"));
    await pair.clock.advance(50);
    const head = new Uint8Array(4);
    await server.read(head);
    const again = unread(server, head);
    again.acknowledge();
    await pair.clock.advance(50);
    expect(client.stats().unacknowledged).toBe(4);
    await again.read(head);
    again.acknowledge();
    await pair.clock.advance(50);
    expect(client.stats().unacknowledged).toBe(0);
  });
});
