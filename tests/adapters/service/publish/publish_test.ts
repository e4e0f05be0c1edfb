import { afterEach, describe, expect, test } from "bun:test";
import { connect, createServer, type Server, type Socket } from "node:net";
import type { HostConnection } from "../../../../adapters/host/connection.ts";
import { dialHost } from "../../../../adapters/host/dial.ts";
import {
  type Connect,
  type Publication,
  publish,
} from "../../../../adapters/service/publish/publish.ts";
import { silentLogger } from "../../../../core/api/environment.ts";
import { TcpError } from "../../../../core/api/errors.ts";
import type { Duplex } from "../../../../plugins/shared/relay.ts";
import { bytes, codeOf } from "../../../support/conversation.ts";
import { FakeSocket, socketPair } from "../../../support/fake_socket.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0)) await cleanup();
});

const to = { hostname: "10.7.0.2", port: 80 };
const setting = { hostname: "127.0.0.1", port: 0, to };

async function published(connect: Connect): Promise<Publication> {
  const publication = await publish(setting, connect, silentLogger);
  cleanups.push(async () => {
    publication.stopListening();
    await publication.finish(0);
  });
  return publication;
}

/** A client of the host whose connection is relayed to `server`. */
async function joined(): Promise<
  { client: HostConnection; server: FakeSocket; publication: Publication }
> {
  const pair = socketPair({ bufferSize: 1000 });
  const publication = await published(() => Promise.resolve(pair.client));
  const client = await dialHost(publication.address);
  cleanups.push(() => client.abort());
  return { client, server: pair.server, publication };
}

/** The reset may arrive during the connection attempt. */
async function dialAndRead({ address }: Publication): Promise<number | null> {
  const client = await dialHost(address);
  return await client.read(new Uint8Array(1));
}

async function readAll(connection: Pick<FakeSocket, "read">): Promise<string> {
  const chunk = new Uint8Array(64);
  let text = "";
  for (let size; (size = await connection.read(chunk)) !== null;) {
    text += new TextDecoder().decode(chunk.subarray(0, size));
  }
  return text;
}

describe("publish", () => {
  // The client's FIN is relayed, and the answer follows.
  test("carries a half-close of the client (RFC 9293 3.6)", async () => {
    const { client, server } = await joined();
    await client.write(bytes("question"));
    await client.closeWrite();
    expect(await readAll(server)).toBe("question");
    await server.write(bytes("answer"));
    await server.closeWrite();
    expect(await readAll(client)).toBe("answer");
    await client.closed;
  });

  // The stack's side half-closes first and still receives data.
  test("carries a half-close of the stack's side (RFC 9293 3.6)", async () => {
    const { client, server } = await joined();
    await server.closeWrite();
    expect(await readAll(client)).toBe("");
    await client.write(bytes("late"));
    await client.closeWrite();
    expect(await readAll(server)).toBe("late");
  });

  // The port of the stack is closed: the client gets a reset, not an empty answer.
  test("resets a connection that the stack refuses", async () => {
    const refused = new TcpError("CONNECTION_REFUSED", "10.7.0.2:80 refused the connection");
    const publication = await published(() => Promise.reject(refused));
    expect(await codeOf(dialAndRead(publication))).toBe("CONNECTION_RESET");
  });

  // A reset is relayed in either direction.
  test("carries a reset of either side", async () => {
    const one = await joined();
    one.server.abort();
    expect(await codeOf(one.client.read(new Uint8Array(1)))).toBe("CONNECTION_RESET");

    const other = await joined();
    await other.client.write(bytes("x"));
    await other.server.read(new Uint8Array(1));
    other.client.abort();
    expect(await codeOf(other.server.read(new Uint8Array(1)))).toBe("CONNECTION_RESET");
  });

  // One connection is allowed: the next one is reset, the first continues.
  test("resets connections beyond its limit", async () => {
    const pair = socketPair();
    const connect: Connect = () => Promise.resolve(pair.client);
    const publication = await publish(setting, connect, silentLogger, { maxConnections: 1 });
    cleanups.push(() => publication.finish(0), () => publication.stopListening());
    const first = await dialHost(publication.address);
    await first.write(bytes("x"));
    await pair.server.read(new Uint8Array(1));
    expect(await codeOf(dialAndRead(publication))).toBe("CONNECTION_RESET");
    await pair.server.write(bytes("y"));
    expect(await first.read(new Uint8Array(1))).toBe(1);
    first.abort();
  });

  // One address has all four: the oldest is reset for another address.
  test("evicts a connection of the client with the most", async () => {
    const publication = await publish(
      setting,
      () => Promise.resolve(socketPair().client),
      silentLogger,
      { maxConnections: 4 },
    );
    cleanups.push(() => publication.finish(0), () => publication.stopListening());
    const held = [];
    for (let i = 0; i < 4; i++) {
      held.push(await dialHost(publication.address));
      await held[i]!.write(bytes("x"));
    }
    expect(await codeOf(dialAndRead(publication))).toBe("CONNECTION_RESET");
    const other = connect({ ...publication.address, host: "127.0.0.1", localAddress: "127.0.0.2" });
    cleanups.push(() => void other.destroy());
    expect(await codeOf(held[0]!.read(new Uint8Array(1)))).toBe("CONNECTION_RESET");
    expect(other.destroyed).toBe(false);
    for (const connection of held) connection.abort();
  });

  // The client disconnects before the stack answers.
  test("aborts an attempt when the client disconnects", async () => {
    const { promise: asked, resolve: ask } = Promise.withResolvers<AbortSignal>();
    const publication = await published((address, signal) => {
      expect(address).toEqual(to);
      ask(signal);
      return new Promise((_, reject) => {
        signal.addEventListener("abort", () => reject(signal.reason));
      });
    });
    const client = await dialHost(publication.address);
    const signal = await asked;
    client.abort();
    await new Promise((resolve) => signal.addEventListener("abort", resolve));
  });

  // The stack's side does not read: the data stays with the client.
  test("applies backpressure to the client while the stack's side does not read", async () => {
    const { client, server } = await joined();
    const size = 32 << 20;
    let written = false;
    const writing = client.write(new Uint8Array(size)).then(() => written = true);
    const chunk = new Uint8Array(1 << 16);
    await server.read(chunk);
    for (let i = 0; i < 100; i++) {
      await server.write(bytes("x"));
      await client.read(chunk);
    }
    expect(written).toBe(false);
    server.abort();
    await writing.catch(() => {});
  });
});

describe("Publication", () => {
  // An open connection finishes by itself, and a new one is refused.
  test("finish() waits for running connections, stopListening() refuses new ones", async () => {
    const { client, server, publication } = await joined();
    await client.write(bytes("x"));
    await server.read(new Uint8Array(1));
    publication.stopListening();
    expect(await codeOf(dialHost(publication.address))).toBe("CONNECTION_REFUSED");
    const finished = publication.finish(2 ** 40);
    // A runtime's timer cannot wait that long and would fire at once.
    await new Promise((resolve) => setTimeout(resolve, 1));
    await server.write(bytes("answer"));
    await server.closeWrite();
    await client.closeWrite();
    expect(await readAll(client)).toBe("answer");
    await finished;
  });

  // A connection that does not end is reset after the grace time.
  test("finish() aborts open connections after the grace time", async () => {
    const { client, server, publication } = await joined();
    await client.write(bytes("x"));
    await server.read(new Uint8Array(1));
    publication.stopListening();
    await publication.finish(0);
    expect(await codeOf(client.read(new Uint8Array(1)))).toBe("CONNECTION_RESET");
    expect(await codeOf(server.read(new Uint8Array(1)))).toBe("CONNECTION_RESET");
  });

  // The client has closed, and the stack's side waits for an ACK that never arrives.
  test("finish() aborts the stack's side if only that is left", async () => {
    const { promise: closed, reject: abort } = Promise.withResolvers<void>();
    const { promise: ended, resolve: end } = Promise.withResolvers<void>();
    const inner: Duplex = {
      read: () => Promise.resolve(null),
      write: (p) => Promise.resolve(p.length),
      closeWrite: () => Promise.resolve(),
      close: () => {
        end();
        return closed;
      },
      abort: (reason) => abort(reason ?? new Error("aborted")),
      closed,
    };
    const publication = await published(() => Promise.resolve(inner));
    const client = await dialHost(publication.address);
    await client.closeWrite();
    expect(await readAll(client)).toBe("");
    await ended;
    publication.stopListening();
    await publication.finish(0);
    await expect(closed).rejects.toThrow("aborted");
  });

  // The port is in use: an error that names it, or the next port for the demo.
  test("reports a port in use, or uses the next one if allowed", async () => {
    const { server, port } = await taken();
    cleanups.push(() => server.close());
    const connect: Connect = () => Promise.reject(new Error("not used"));
    await expect(publish({ ...setting, port }, connect, silentLogger))
      .rejects.toThrow(`Cannot publish 127.0.0.1:${port}: the port is in use`);
    const next = await publish({ ...setting, port, allowsNextPort: true }, connect, silentLogger);
    expect(next.address.port).toBeGreaterThan(port);
    expect(next.to).toEqual(to);
    next.stopListening();
  });
});

function taken(): Promise<{ server: Server; port: number }> {
  const server = createServer((socket: Socket) => socket.destroy());
  return new Promise((resolve) => {
    server.listen({ host: "127.0.0.1", port: 0 }, () => {
      resolve({ server, port: (server.address() as { port: number }).port });
    });
  });
}
