import { afterEach, describe, expect, test } from "bun:test";
import { createSocket } from "node:dgram";
import { readdirSync } from "node:fs";
import { createServer } from "node:net";
import { linkPair } from "../../../adapters/links/memory.ts";
import { socks5 } from "../../../adapters/plugins/socks5.ts";
import { SerialQueue } from "../../../core/api/runtime/serial_queue.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { Stack, TcpSocket } from "../../../core/api/types.ts";
import { echo } from "../../../plugins/echo.ts";
import type { Socks5Options } from "../../../plugins/socks5.ts";
import { bytes } from "../../support/conversation.ts";
import { settle } from "../../support/fake_socket.ts";
import { Socks5UdpClient } from "../../support/socks5_udp_client.ts";

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** Starts a server on the host that echoes once its client has half-closed; returns its port. */
async function echoOfHost(): Promise<number> {
  const server = createServer({ allowHalfOpen: true }, (socket) => {
    cleanups.push(() => socket.destroy());
    const chunks: Uint8Array[] = [];
    socket.on("error", () => {});
    socket.on("data", (chunk: Uint8Array) => chunks.push(chunk));
    socket.on("end", () => {
      for (const chunk of chunks) socket.write(chunk);
      socket.end();
    });
  });
  await new Promise<void>((done) => server.listen({ host: "127.0.0.1", port: 0 }, done));
  cleanups.push(() => void server.close());
  return (server.address() as { port: number }).port;
}

/** Starts a UDP server on the host that answers each datagram; returns its port. */
async function udpEchoOfHost(): Promise<number> {
  const socket = createSocket("udp4");
  const turns = new SerialQueue();
  socket.on("message", (data: Uint8Array, { port, address }: { port: number; address: string }) => {
    const answer = `${new TextDecoder().decode(data)}!`;
    // Deno may reorder concurrent sends.
    void turns.run(() =>
      new Promise<void>((done) => socket.send(answer, port, address, () => done()))
    );
  });
  await new Promise<void>((done) => socket.bind(0, "127.0.0.1", done));
  cleanups.push(() => void socket.close());
  return socket.address().port;
}

/** A connection to the proxy; its stack has an echo server of its own. */
function connect(options: Socks5Options): TcpSocket {
  return clientOf(options).connect("10.7.0.2:1080", { allowHalfOpen: true });
}

/** The stack of the proxy's clients. */
function clientOf(options: Socks5Options): Stack {
  const [here, there] = linkPair();
  const server = createStack({ link: here, addresses: ["10.7.0.2/24"] });
  const client = createStack({ link: there, addresses: ["10.7.0.1/24"] });
  cleanups.push(() => server.close(), () => client.close());
  server.use(1080, socks5(options)).use([7, "udp/7"], echo());
  return client;
}

/**
 * Requests a target, sends 300,000 bytes and half-closes; resolves with the reply and the data
 * received.
 */
async function converse(socket: TcpSocket, request: number[]) {
  const sent = new Uint8Array(300_000).map((_, index) => index * 7);
  const written = (async () => {
    await socket.write(Uint8Array.from([5, 1, 0, ...request]));
    await socket.write(sent);
    await socket.closeWrite();
  })();
  written.catch(() => {});
  const chunks: Uint8Array[] = [];
  for await (const chunk of socket) chunks.push(chunk);
  const all = new Uint8Array(await new Blob(chunks as BlobPart[]).arrayBuffer());
  return { reply: all[3], echoed: equal(all.subarray(12), sent) };
}

function equal(a: Uint8Array, b: Uint8Array): boolean {
  return a.length === b.length && a.every((byte, index) => byte === b[index]);
}

const port = (number: number) => [number >> 8, number & 255];

describe("socks5", () => {
  // A name resolved by the host: data in both directions, with a half-close in between.
  test("connects through the host", async () => {
    const number = await echoOfHost();
    const name = [5, 1, 0, 3, 9, ...bytes("localhost"), ...port(number)];
    const socket = connect({ allow: ["127.0.0.1"] });
    expect(await converse(socket, name)).toEqual({ reply: 0, echoed: true });
  });

  // The proxy denies the same target without permission, and reports an unknown name.
  test("denies loopback, and reports an unknown name", async () => {
    const local = [5, 1, 0, 1, 127, 0, 0, 1, ...port(await echoOfHost())];
    expect(await converse(connect({}), local)).toEqual({ reply: 2, echoed: false });
    const unknown = [5, 1, 0, 3, 17, ...bytes("nowhere.invalid.x"), 0, 80];
    expect(await converse(connect({}), unknown)).toEqual({ reply: 4, echoed: false });
  });

  // The port is closed.
  test("reports that the target refuses", async () => {
    const server = createServer();
    await new Promise<void>((done) => server.listen({ host: "127.0.0.1", port: 0 }, done));
    const free = (server.address() as { port: number }).port;
    await new Promise((done) => server.close(done));
    const request = [5, 1, 0, 1, 127, 0, 0, 1, ...port(free)];
    const socket = connect({ allow: ["127.0.0.0/8"] });
    expect(await converse(socket, request)).toEqual({ reply: 5, echoed: false });
  });

  // Another port of the proxy's own stack.
  test("connects back into the stack", async () => {
    const own = [5, 1, 0, 1, 10, 7, 0, 2, ...port(7)];
    expect(await converse(connect({ via: "stack" }), own)).toEqual({ reply: 0, echoed: true });
    const closed = [5, 1, 0, 1, 10, 7, 0, 2, ...port(8)];
    expect(await converse(connect({ via: "stack" }), closed)).toEqual({ reply: 5, echoed: false });
  });

  // By address and by name, through sockets of the host; the host's own addresses are denied unless
  // allowed.
  test("carries datagrams through the host (RFC 1928 7)", async () => {
    const number = await udpEchoOfHost();
    const open = async (options: Socks5Options) => {
      const client = await Socks5UdpClient.open(clientOf(options), "10.7.0.2:1080");
      cleanups.push(() => client.control.close());
      return client;
    };
    const client = await open({ allow: ["127.0.0.1"], udp: { maxTargets: 2 } });
    // Sends as many datagrams as are queued until the socket is open, and then a burst.
    for (const [from, to] of [[0, 16], [16, 200]] as const) {
      for (let i = from; i < to; i++) {
        await client.send(String(i), { hostname: "127.0.0.1", port: number });
      }
      for (let i = from; i < to; i++) {
        expect(await client.receive()).toBe(`${i}! from 127.0.0.1:${number}`);
      }
    }
    await client.sendToName("by name", "localhost", number);
    expect(await client.receive()).toBe(`by name! from 127.0.0.1:${number}`);

    const denied = await open({ deny: ["10.7.0.2"] });
    await denied.send("x", { hostname: "127.0.0.1", port: number });
    const back = await open({ via: "stack" });
    await back.send("back", { hostname: "10.7.0.2", port: 7 });
    expect(await back.receive()).toBe("back from 10.7.0.2:7");
    const late = Promise.race([denied.receive(), settle().then(() => "nothing")]);
    expect(await late).toBe("nothing");
  });

  // Sockets used for datagrams are closed again.
  test("leaves no socket of the host open", async () => {
    const open = () => readdirSync("/proc/self/fd").length;
    const number = await udpEchoOfHost();
    const client = await Socks5UdpClient.open(
      clientOf({ allow: ["127.0.0.0/8"], udp: { maxTargets: 4 } }),
      "10.7.0.2:1080",
    );
    const before = open();
    for (let i = 1; i <= 50; i++) {
      await client.send("x", { hostname: `127.0.0.${i}`, port: number });
      await settle();
    }
    await client.send("last", { hostname: "127.0.0.1", port: number });
    while (!(await client.receive()).startsWith("last!"));
    while (open() > before + 4) await settle();
    client.control.abort();
    while (open() > before) await settle();
  });
});
