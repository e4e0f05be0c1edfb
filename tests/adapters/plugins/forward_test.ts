import { afterEach, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { mkdtempSync, rmSync } from "node:fs";
import { createServer, type ListenOptions, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { linkPair } from "../../../adapters/links/memory.ts";
import { forward } from "../../../adapters/plugins/forward.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { TcpSocket } from "../../../core/api/types.ts";
import { bytes, codeOf, received, textOf } from "../../support/conversation.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

interface Upstream {
  port: number;
  accepted: Promise<Socket>;
  close(): Promise<void>;
}

/** A server of the host: its port, and the first connection to it. */
async function upstream(place: ListenOptions = { host: "127.0.0.1", port: 0 }): Promise<Upstream> {
  const { promise: accepted, resolve } = Promise.withResolvers<Socket>();
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    cleanups.push(() => socket.destroy());
    socket.on("error", () => {});
    resolve(socket);
  });
  await new Promise<void>((done) => server.listen(place, done));
  cleanups.push(() => void server.close());
  const { port = 0 } = server.address() as { port?: number };
  return { port, accepted, close: () => new Promise((done) => server.close(() => done())) };
}

/** Connects, through two stacks, to a port that is forwarded to a target of the host. */
function connect(to: number | string): TcpSocket {
  const [here, there] = linkPair();
  const server = createStack({ link: here, addresses: ["10.7.0.2/24"] });
  const client = createStack({ link: there, addresses: ["10.7.0.1/24"] });
  cleanups.push(() => server.close(), () => client.close());
  server.use(8080, forward({ to: typeof to === "number" ? `127.0.0.1:${to}` : to }));
  return client.connect("10.7.0.2:8080", { allowHalfOpen: true });
}

/** Request, FIN, response, FIN. */
async function ask(client: TcpSocket, accepted: Promise<Socket>): Promise<void> {
  await client.write(bytes("question"));
  await client.closeWrite();
  const server = await accepted;
  expect(await received(server)).toBe("question");
  server.end("answer");
  expect(await textOf(client)).toBe("answer");
  await client.closed;
}

describe("forward to a server of the host", () => {
  // The client half-closes first and still gets its answer.
  test("carries a half-close of the client (RFC 9293 3.6)", async () => {
    const { port, accepted } = await upstream();
    await ask(connect(port), accepted);
  });

  // The server half-closes first and still receives data.
  test("carries a half-close of the server (RFC 9293 3.6)", async () => {
    const { port, accepted } = await upstream();
    const client = connect(port);
    const server = await accepted;
    const late = received(server);
    server.end("banner");
    expect(await textOf(client)).toBe("banner");
    await client.write(bytes("late"));
    await client.closeWrite();
    expect(await late).toBe("late");
    await client.closed;
  });

  // The server is down: the SYN is answered with RST.
  test("refuses the connection when the server is down (RFC 9293 3.5.2)", async () => {
    const { port, close } = await upstream();
    await close();
    expect(await codeOf(connect(port).opened)).toBe("CONNECTION_REFUSED");
  });

  // RST from either side reaches the other as RST.
  test("carries a reset both ways (RFC 9293 3.5.3)", async () => {
    const one = await upstream();
    const client = connect(one.port);
    await client.opened;
    (await one.accepted).resetAndDestroy();
    expect(await codeOf(textOf(client))).toBe("CONNECTION_RESET");

    const other = await upstream();
    const leaving = connect(other.port);
    await leaving.opened;
    const server = await other.accepted;
    const reset = new Promise<string | undefined>((resolve) =>
      server.once("error", (error: Error & { code?: string }) => resolve(error.code))
    );
    server.resume();
    leaving.abort();
    expect(await reset).toBe("ECONNRESET");
  });

  // Eight megabytes in each direction concurrently, more than all buffers hold.
  test("carries bulk both ways", async () => {
    const { port, accepted } = await upstream();
    const client = connect(port);
    const size = 8 << 20;
    const server = await accepted;
    server.pipe(server);
    const sending = client.write(new Uint8Array(size).fill(7)).then(() => client.closeWrite());
    let count = 0;
    for await (const chunk of client) {
      if (chunk.some((byte) => byte !== 7)) throw new Error(`wrong byte after ${count}`);
      count += chunk.byteLength;
    }
    expect(count).toBe(size);
    await sending;
  });
});

describe("forward to a Unix socket of the host", () => {
  /** A path for a socket, removed after the test. */
  function socketPath(): string {
    const folder = mkdtempSync(join(tmpdir(), "berth-"));
    cleanups.push(() => rmSync(folder, { recursive: true }));
    return join(folder, "app.sock");
  }

  // A Unix socket can be half-closed as well.
  test("carries half-closes both ways", async () => {
    const path = socketPath();
    const { accepted } = await upstream({ path });
    await ask(connect(`unix:${path}`), accepted);
  });

  // A reset at least closes the other side: nothing hangs.
  test("ends when the client is reset", async () => {
    const path = socketPath();
    const { accepted } = await upstream({ path });
    const client = connect(`unix:${path}`);
    await client.opened;
    const server = await accepted;
    const gone = new Promise((resolve) => server.once("close", resolve));
    server.resume();
    client.abort();
    server.end();
    await gone;
  });

  // There is no such file: the SYN is answered with RST.
  test("refuses the connection when there is no such socket (RFC 9293 3.5.2)", async () => {
    expect(await codeOf(connect(`unix:${socketPath()}`).opened)).toBe("CONNECTION_REFUSED");
  });
});

describe("forward to a UDP socket of the host", () => {
  /** An echo server that records its clients. */
  async function echo(): Promise<{ port: number; senders: Set<number> }> {
    const senders = new Set<number>();
    const socket = createSocket("udp4");
    socket.on("message", (datagram, from) => {
      senders.add(from.port);
      socket.send(datagram, from.port, from.address);
    });
    await new Promise<void>((resolve) => socket.bind(0, "127.0.0.1", resolve));
    cleanups.push(() => new Promise<void>((done) => socket.close(() => done())));
    return { port: socket.address().port, senders };
  }

  // Two clients: each has its own socket on the host, and gets its own answers. Empty, small, and
  // fragmented datagrams.
  test("carries each flow's datagrams both ways", async () => {
    const { port, senders } = await echo();
    const [here, there] = linkPair();
    const server = createStack({ link: here, addresses: ["10.7.0.2/24"] });
    const client = createStack({ link: there, addresses: ["10.7.0.1/24"] });
    cleanups.push(() => server.close(), () => client.close());
    server.use("udp/53", forward({ to: `127.0.0.1:${port}` }));
    const sockets = [client.listenDatagram({ port: 0 }), client.listenDatagram({ port: 0 })];
    for (const length of [0, 100, 20_000]) {
      for (const [n, socket] of sockets.entries()) {
        const datagram = new Uint8Array(length).fill(n + 1);
        await socket.send(datagram, "10.7.0.2:53");
        const [answer, from] = await socket.receive();
        expect(answer).toEqual(datagram);
        expect(from).toMatchObject({ hostname: "10.7.0.2", port: 53 });
      }
    }
    expect(senders.size).toBe(2);
  });

  // Unix sockets do not support datagrams here, which is reported at once.
  test("requires a target that supports UDP", () => {
    const [link] = linkPair();
    const stack = createStack({ link, addresses: ["10.7.0.2/24"] });
    cleanups.push(() => stack.close());
    expect(() => stack.use("udp/53", forward({ to: "unix:/run/app.sock" }))).toThrow(/forward/);
  });
});
