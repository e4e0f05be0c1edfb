import { describe, expect, test } from "bun:test";
import { directWriterOf } from "../../../../core/api/tcp/direct_writer.ts";
import { overStacks } from "./over_stacks.ts";
import { socketConformance } from "./socket_conformance.ts";
import { bytes, codeOf, readText, StackPair } from "../stack_pair.ts";

const text = (chunk: Uint8Array) => new TextDecoder().decode(chunk);

/** Whether a promise has settled after all pending work has run. */
async function isSettled(pair: StackPair, promise: Promise<unknown>): Promise<boolean> {
  let settled = false;
  promise.then(() => settled = true, () => settled = true);
  await pair.clock.advance(100);
  return settled;
}

socketConformance(
  "an accepted connection",
  () => overStacks(({ client, server }) => [server, client]),
);
socketConformance(
  "a connection opened actively",
  () => overStacks(({ client, server }) => [client, server]),
);

describe("reading", () => {
  // Two writes, read in pieces of the reader's size; after the FIN every read returns null.
  test("read fills the array and returns null at the end (RFC 9293 3.10.3)", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    await client.write(bytes("abcdef"));
    await client.closeWrite();
    const four = new Uint8Array(4);
    expect(await pair.run(server.read(four))).toBe(4);
    expect(text(four)).toBe("abcd");
    expect(await pair.run(server.read(four))).toBe(2);
    expect(text(four)).toBe("efcd");
    expect(await pair.run(server.read(four))).toBe(null);
    expect(await pair.run(server.read(four))).toBe(null);
    expect(await server.read(new Uint8Array(0))).toBe(0);
  });

  // Several reads may be pending; they are served in the order in which they were made.
  test("pending reads are served in order", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const targets = [new Uint8Array(2), new Uint8Array(2), new Uint8Array(9)];
    const counts = Promise.all(targets.map((target) => server.read(target)));
    await client.write(bytes("abc"));
    await pair.clock.advance(10);
    await client.write(bytes("de"));
    expect(await pair.run(counts)).toEqual([2, 1, 2]);
    expect(targets.map((target) => text(target).replaceAll("\0", ""))).toEqual(["ab", "c", "de"]);
  });

  // Iteration ends with the peer's FIN; leaving it early leaves the rest for the next reader.
  test("iteration ends with the peer's FIN and can be left and resumed", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    await client.write(bytes("one"));
    const first = (async () => {
      for await (const chunk of server) return text(chunk);
    })();
    expect(await pair.run(first)).toBe("one");
    await client.write(bytes("two"));
    await client.closeWrite();
    expect(await pair.run(readText(server))).toBe("two");
    expect(await pair.run(readText(server))).toBe("");
  });

  // A BYOB reader gets its array back filled; the stream ends with the peer's FIN.
  test("readable is a byte stream (WHATWG Streams 4.5)", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    await client.write(bytes("hello"));
    const reader = server.readable.getReader({ mode: "byob" });
    const first = await pair.run(reader.read(new Uint8Array(3)));
    expect(text(first.value!)).toBe("hel");
    const second = await pair.run(reader.read(new Uint8Array(30)));
    expect(text(second.value!)).toBe("lo");
    await client.closeWrite();
    expect((await pair.run(reader.read(new Uint8Array(3)))).done).toBe(true);
    expect(server.readable).toBe(server.readable);
  });

  // The stream does not read ahead, so the window closes.
  test("readable does not read ahead", async () => {
    await using pair = new StackPair({ receiveBuffer: 8192, sendBuffer: 8192 });
    const { client, server } = await pair.connect();
    const stream = server.readable;
    const written = client.write(new Uint8Array(100_000));
    expect(await isSettled(pair, written)).toBe(false);
    expect(server.stats().bytesIn).toBeLessThanOrEqual(8192 + 64);
    const all = new Response(stream).arrayBuffer();
    await pair.run(written);
    await client.closeWrite();
    expect((await pair.run(all)).byteLength).toBe(100_000);
  });

  // An echo with streams only: pipeTo propagates the end as FIN.
  test("readable and writable echo with pipeTo (RFC 9293 3.6)", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const echoed = server.readable.pipeTo(server.writable);
    const writer = client.writable.getWriter();
    await pair.run(writer.write(bytes("there and back")));
    await pair.run(writer.close());
    expect(await pair.run(readText(client))).toBe("there and back");
    await pair.run(echoed);
  });

  // Data received before the reset can be read, followed by the error.
  test("read returns data received before a reset, then CONNECTION_RESET (RFC 9293 3.5.3)", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    await client.write(bytes("last words"));
    await pair.clock.advance(10);
    client.abort(new Error("enough"));
    await pair.clock.advance(10);
    const target = new Uint8Array(100);
    expect(await pair.run(server.read(target))).toBe(10);
    expect(await pair.run(codeOf(server.read(target)))).toBe("CONNECTION_RESET");
    expect(await pair.run(codeOf(server.write(target)))).toBe("CONNECTION_RESET");
    expect(await pair.run(codeOf(server.closed))).toBe("CONNECTION_RESET");
    expect(await pair.run(codeOf(client.read(target)))).toBe("CONNECTION_ABORTED");
  });
});

describe("writing", () => {
  // The send buffer accepts data at once until it is full; then the writer waits for the reader.
  test("write waits while the peer does not read (RFC 9293 3.8.6)", async () => {
    await using pair = new StackPair({ sendBuffer: 10_000, receiveBuffer: 10_000 });
    const { client, server } = await pair.connect();
    expect(await client.write(new Uint8Array(10_000))).toBe(10_000);
    await pair.clock.advance(10);
    const second = client.write(new Uint8Array(25_000));
    const third = client.write(bytes("!"));
    expect(await isSettled(pair, second)).toBe(false);
    const target = new Uint8Array(1000);
    let read = 0;
    for (; read < 35_001;) read += await pair.run(server.read(target)) ?? 0;
    expect(await pair.run(Promise.all([second, third]))).toEqual([25_000, 1]);
    expect(text(target.subarray(0, 1)) === "!" || read === 35_001).toBe(true);
  });

  // 20,000 bytes for a buffer of 8192: what fits is accepted at once, the rest has to wait.
  test("tryWrite accepts what fits, and nothing while a write is pending (RFC 9293 3.8.6)", async () => {
    await using pair = new StackPair({ receiveBuffer: 8192, sendBuffer: 8192 });
    const { client, server } = await pair.connect();
    const data = Uint8Array.from({ length: 20_000 }, (_, i) => i);
    const taken = client.tryWrite(data);
    expect(taken).toBe(8192);
    expect(client.tryWrite(data.subarray(taken))).toBe(0);
    const rest = client.write(data.slice(taken)).then(() => client.closeWrite());
    data.fill(0);
    await pair.clock.advance(10);
    // There is room again, but a write is pending.
    expect(client.tryWrite(data)).toBe(0);
    const received = await pair.run(new Response(server.readable).bytes());
    await rest;
    expect(received).toEqual(Uint8Array.from({ length: 20_000 }, (_, i) => i));
  });

  // Only write() reports the reason.
  test("tryWrite accepts nothing after writing has ended", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    await client.closeWrite();
    expect(client.tryWrite(bytes("a"))).toBe(0);
    server.abort();
    expect(server.tryWrite(bytes("a"))).toBe(0);
    await pair.clock.advance(10);
    expect(client.tryWrite(bytes("a"))).toBe(0);
    expect(await codeOf(client.write(bytes("a")))).toBe("CONNECTION_RESET");
  });

  // Room for 100 and for 2 bytes is asked for; after closeWrite() there is none.
  test("tryFill sends what is written into the send buffer", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const direct = directWriterOf(client)!;
    const sizes: number[] = [];
    const fill = (text: string) => (room: Uint8Array) => {
      sizes.push(room.length);
      room.set(bytes(text));
      return text.length;
    };
    expect(direct.tryFill(100, fill("ahoy"))).toBe(4);
    expect(direct.tryFill(2, fill("!!"))).toBe(2);
    expect(sizes).toEqual([100, 2]);
    await client.closeWrite();
    expect(direct.tryFill(100, fill("late"))).toBe(0);
    expect(await pair.run(readText(server))).toBe("ahoy!!");
    expect(sizes.length).toBe(2);
  });

  // A send buffer of 8192 bytes is full until the peer reads. A wait for more than its size ends when it is empty.
  test("whenRoom waits until the peer has acknowledged enough", async () => {
    await using pair = new StackPair({ receiveBuffer: 8192, sendBuffer: 8192 });
    const { client, server } = await pair.connect();
    const direct = directWriterOf(client)!;
    expect(direct.tryFill(10_000, (room) => room.length)).toBe(8192);
    const waits = [direct.whenRoom(8000), direct.whenRoom(1_000_000)] as const;
    expect(direct.tryFill(1, (room) => room.length)).toBe(0);
    expect(await isSettled(pair, waits[0])).toBe(false);
    const read = server.read(new Uint8Array(8192));
    await pair.run(waits[0]);
    expect(client.stats().unacknowledged).toBeLessThanOrEqual(192);
    await pair.run(waits[1]);
    expect(direct.room).toBe(8192);
    expect(await pair.run(read)).toBe(8192);
    // The wait follows a write, which is complete before there is enough room.
    const written = client.write(new Uint8Array(12_000));
    const behind = direct.whenRoom(8192);
    const readAll = (async () => {
      for (let left = 12_000; left > 0;) {
        left -= (await server.read(new Uint8Array(100)))!;
      }
    })();
    await pair.run(Promise.all([written, behind, readAll]));
    client.abort();
    expect(await codeOf(direct.whenRoom(1))).toBe("CONNECTION_ABORTED");
  });

  // Until the connection is open, bytes wait in the send buffer.
  test("write may be called before the connection is open (RFC 9293 3.10.2)", async () => {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 80 });
    const client = pair.client.connect("10.0.0.2:80");
    await client.write(bytes("early"));
    await client.closeWrite();
    const server = await pair.run(listener.accept());
    expect(await pair.run(readText(server))).toBe("early");
  });

  // close() is called at once: written data is delivered, or `closed` rejects.
  test("close before the connection is open delivers written data (RFC 9293 3.10.4)", async () => {
    await using pair = new StackPair();
    const listener = pair.server.listen({ port: 80 });
    const client = pair.client.connect("10.0.0.2:80");
    await client.write(bytes("in passing"));
    const closed = client.close();
    const server = await pair.run(listener.accept());
    expect(await pair.run(readText(server))).toBe("in passing");
    expect(await pair.run(codeOf(closed))).toBe("none");
    const nobody = pair.client.connect("10.0.0.77:80");
    await nobody.write(bytes("lost"));
    expect(await pair.run(codeOf(nobody.close()))).toBe("TIMED_OUT");
    // Without written data there is nothing to wait for.
    const idle = pair.client.connect("10.0.0.77:80");
    expect(await pair.run(codeOf(idle.close()))).toBe("CONNECTION_ABORTED");
  });

  // Data written before close() is delivered, including pending writes.
  test("closeWrite and close follow pending writes (RFC 9293 3.10.4)", async () => {
    for (const how of ["closeWrite", "close"] as const) {
      await using pair = new StackPair({ sendBuffer: 5000, receiveBuffer: 5000 });
      const { client, server } = await pair.connect();
      const writing = client.write(new Uint8Array(40_000));
      void client[how]();
      expect(await codeOf(client.write(bytes("x")))).toBe("CLOSING");
      expect((await pair.run(readText(server))).length).toBe(40_000);
      expect(await pair.run(writing)).toBe(40_000);
    }
  });

  // The closing side no longer reads, so data from the peer must not block its own writes.
  test("close completes pending writes while the peer writes too", async () => {
    await using pair = new StackPair({ sendBuffer: 5000, receiveBuffer: 5000 });
    const { client, server } = await pair.connect();
    const echoed = server.readable.pipeTo(server.writable).catch(() => {});
    const writing = client.write(new Uint8Array(60_000));
    const closed = client.close();
    expect(await pair.run(writing)).toBe(60_000);
    await pair.run(closed);
    await pair.run(echoed);
  });
});

describe("ending", () => {
  // Both directions end; a peer in profile local finishes with a RST that is not reported as an
  // error.
  test.each([["local"], ["internet"]] as const)(
    "closed resolves on both sides when both have half-closed, profile %s (RFC 9293 3.6)",
    async (profile) => {
      await using pair = new StackPair({ profile });
      const { client, server } = await pair.connect();
      await client.closeWrite();
      expect(await pair.run(readText(server))).toBe("");
      await server.closeWrite();
      expect(await pair.run(readText(client))).toBe("");
      await pair.run(Promise.all([client.closed, server.closed]));
    },
  );

  // The two profiles close a connection differently, and interoperate.
  test("closed resolves between the two profiles, whichever closes first (RFC 9293 3.6)", async () => {
    for (const first of ["client", "server"] as const) {
      await using pair = new StackPair({ profile: "local" }, { profile: "internet" });
      const { client, server } = await pair.connect();
      const [one, other] = first === "client" ? [client, server] : [server, client];
      await one.closeWrite();
      expect(await pair.run(readText(other))).toBe("");
      await other.closeWrite();
      expect(await pair.run(readText(one))).toBe("");
      await pair.run(Promise.all([client.closed, server.closed]));
    }
  });

  test("close resolves at every call, and reads return the end", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const waiting = client.read(new Uint8Array(1));
    const closing = client.close();
    expect(await pair.run(waiting)).toBe(null);
    expect(await pair.run(closing)).toBe(undefined);
    expect(await pair.run(client.close())).toBe(undefined);
    expect(await pair.run(readText(server))).toBe("");
    expect(client.state).toBe("FIN-WAIT-2");
    await pair.run(server.close());
    expect(client.state).toBe("CLOSED");
  });

  // `await using` waits for the close.
  test("await using closes the socket", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    const done = (async () => {
      await using socket = client;
      await socket.write(bytes("bye"));
    })();
    expect(await pair.run(readText(server))).toBe("bye");
    await pair.run(done);
    expect(client.state).toBe("FIN-WAIT-2");
    await pair.run(server.close());
    expect(client.state).toBe("CLOSED");
    expect(pair.client.stats().connections).toBe(0);
  });

  // The reason is the cause of every error on this side.
  test("abort rejects pending calls with CONNECTION_ABORTED and its reason", async () => {
    await using pair = new StackPair({ sendBuffer: 5000, receiveBuffer: 5000 });
    const { client } = await pair.connect();
    const reason = new Error("no more");
    const reading = client.read(new Uint8Array(1)).catch((error) => error);
    const writing = client.write(new Uint8Array(50_000)).catch((error) => error);
    client.abort(reason);
    for (const error of await pair.run(Promise.all([reading, writing]))) {
      expect(error).toMatchObject({ code: "CONNECTION_ABORTED", cause: reason });
      expect(error.message).toMatch(/^SocketError: .*10\.0\.0\.2:\d+/);
      expect(error.remote).toEqual(client.remoteAddr);
    }
    expect(await pair.run(codeOf(client.closed))).toBe("CONNECTION_ABORTED");
    client.abort();
  });

  // WinterTC's default: the peer's FIN closes this side too.
  test("allowHalfOpen false closes this side once the peer's FIN is read (WinterTC Sockets)", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect({});
    await server.closeWrite();
    expect(await pair.run(readText(client))).toBe("");
    expect(await codeOf(client.write(bytes("x")))).toBe("CLOSING");
    expect(await pair.run(readText(server))).toBe("");
  });

  // Accepted sockets may stay half-open.
  test("an accepted socket can write after the peer's FIN (RFC 9293 3.6)", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    await client.closeWrite();
    expect(await pair.run(readText(server))).toBe("");
    await server.write(bytes("still here"));
    void server.close();
    expect(await pair.run(readText(client))).toBe("still here");
  });

  // Unused `closed` and `opened` must not cause an unhandled rejection, which would end the
  // process.
  test("unobserved errors do not cause unhandled rejections", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    client.abort();
    await pair.clock.advance(10);
    expect([client.state, server.state]).toEqual(["CLOSED", "CLOSED"]);
  });
});

describe("opening", () => {
  test("opened resolves with both addresses (WinterTC Sockets)", async () => {
    await using pair = new StackPair();
    for (const host of ["10.0.0", "fd00:"]) {
      const v6 = host === "fd00:";
      const listener = pair.server.listen({ port: 80 });
      const to = v6 ? "[fd00::2]:80" : "10.0.0.2:80";
      const client = pair.client.connect(to);
      const server = await pair.run(listener.accept());
      const info = await pair.run(client.opened);
      expect(info).toEqual({
        remoteAddress: to,
        localAddress: v6
          ? `[fd00::1]:${client.localAddr.port}`
          : `10.0.0.1:${client.localAddr.port}`,
        alpn: null,
      });
      expect(client.remoteAddr).toEqual(server.localAddr);
      expect(client.localAddr).toEqual(server.remoteAddr);
      expect((await pair.run(server.opened)).localAddress).toBe(to);
      expect(client.upgraded).toBe(false);
      listener.close();
    }
  });

  // Closed port: RST, and all pending calls reject.
  test("a refused connection rejects with CONNECTION_REFUSED (RFC 9293 3.10.7.3)", async () => {
    await using pair = new StackPair();
    const client = pair.client.connect("10.0.0.2:81");
    const reading = codeOf(client.read(new Uint8Array(1)));
    expect(await pair.run(codeOf(client.opened))).toBe("CONNECTION_REFUSED");
    expect(await pair.run(reading)).toBe("CONNECTION_REFUSED");
    expect(await pair.run(codeOf(client.closed))).toBe("CONNECTION_REFUSED");
    expect(await codeOf(client.write(bytes("x")))).toBe("CONNECTION_REFUSED");
  });

  // No host has that address: the attempt fails after three minutes (RFC 9293 3.8.3).
  test("an unanswered connection attempt rejects with TIMED_OUT (RFC 9293 3.8.3)", async () => {
    await using pair = new StackPair();
    const client = pair.client.connect("10.0.0.77:80");
    const before = pair.clock.now();
    expect(await pair.run(codeOf(client.opened))).toBe("TIMED_OUT");
    expect(pair.clock.now() - before).toBeGreaterThanOrEqual(180_000);
  });

  // The signal is aborted before and after the connection is open.
  test("a signal cancels the attempt and aborts the connection", async () => {
    await using pair = new StackPair();
    const attempt = new AbortController();
    const pending = pair.client.connect("10.0.0.77:80", { signal: attempt.signal });
    attempt.abort(new Error("too slow"));
    expect(await pair.run(codeOf(pending.opened))).toBe("CONNECTION_ABORTED");
    const later = new AbortController();
    const { client, server } = await pair.connect({ signal: later.signal });
    later.abort();
    expect(await pair.run(codeOf(client.closed))).toBe("CONNECTION_ABORTED");
    expect(await pair.run(codeOf(server.closed))).toBe("CONNECTION_RESET");
    expect(() => pair.client.connect("10.0.0.2:80", { signal: later.signal })).toThrow();
  });
});

describe("stats", () => {
  // The counters of both sides agree, with each byte counted once.
  test("count each byte once and have the state", async () => {
    await using pair = new StackPair();
    const { client, server } = await pair.connect();
    readText(server).catch(() => {});
    await client.write(new Uint8Array(5000));
    await pair.clock.advance(10);
    expect(client.stats()).toMatchObject({
      state: "ESTABLISHED",
      bytesOut: 5000,
      bytesIn: 0,
      flightSize: 0,
      retransmits: 0,
      sendMss: 1460,
    });
    expect(server.stats()).toMatchObject({ bytesIn: 5000, outOfOrder: 0 });
    expect(server.stats().segmentsIn).toBe(client.stats().segmentsOut - 1);
  });
});
