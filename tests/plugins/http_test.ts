import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { linkPair } from "../../adapters/links/memory.ts";
import { VirtualClock } from "../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../core/api/stack.ts";
import type { Stack, TcpSocket } from "../../core/api/types.ts";
import { http, type HttpEnv } from "../../plugins/http.ts";
import { upgradeWebSocket } from "../../plugins/http/websocket.ts";
import { contentOf, latin1, statuses, textOf } from "./http/support.ts";
import { clientClose, clientFrame, HANDSHAKE, serverFrames } from "./http/websocket/support.ts";

const GET = (path: string) => `GET ${path} HTTP/1.1\r\nHost: h\r\n\r\n`;

// The plugin and a client on real stacks in virtual time, which tests closing and backpressure with
// real sockets.
describe("http on a stack", () => {
  const app = new Hono<{ Bindings: HttpEnv }>();
  app.get("/", (c) => c.text(`${c.env.remoteAddr.hostname} ${c.env.socket.state}`));
  app.get("/large", () => new Response(new Uint8Array(1_000_000)));
  app.post("/length", async (c) => c.text(String((await c.req.arrayBuffer()).byteLength)));
  app.get("/wait", () => new Promise<Response>(() => {}));
  app.get(
    "/ws",
    upgradeWebSocket(() => ({ onMessage: (event, ws) => ws.send(event.data) })),
  );

  // The connection persists until the server closes it: the client gets everything, then the end.
  test("serves persistent connections and closes them gracefully", () =>
    withStacks(async ({ connect, clock }) => {
      const socket = connect();
      const first = await ask(clock, socket, GET("/"));
      expect(contentOf(first)).toBe("10.0.0.2 ESTABLISHED");
      await socket.write(latin1(GET("/").replace("1.1", "1.0")));
      const rest = await clock.runUntil(readAll(socket));
      expect(statuses(rest)).toEqual([200]);
      await socket.closeWrite();
      await clock.runUntil(socket.closed);
    }));

  // A megabyte in each direction through the send and receive buffers.
  test("transfers large bodies", () =>
    withStacks(async ({ connect, clock }) => {
      const socket = connect();
      const length = 1_000_000;
      await socket.write(
        latin1(`POST /length HTTP/1.1\r\nHost: h\r\nContent-Length: ${length}\r\n\r\n`),
      );
      const sent = socket.write(new Uint8Array(length));
      const answer = await clock.runUntil(readSome(socket));
      expect(contentOf(answer)).toBe(String(length));
      await clock.runUntil(sent);
      await socket.write(latin1(GET("/large").replace("Host", "Connection: close\r\nHost")));
      const large = await clock.runUntil(readAll(socket));
      expect(large.length).toBeGreaterThan(length);
    }));

  // The refusal arrives although the client is still sending, before any reset.
  test("delivers the refusal to the client", () =>
    withStacks(async ({ connect, clock }) => {
      const socket = connect();
      const sent = socket.write(latin1(`GET /${"a".repeat(50_000)}`));
      const answer = await clock.runUntil(readAll(socket));
      expect(statuses(answer)).toEqual([414]);
      await clock.runUntil(sent);
      await socket.closeWrite();
      await clock.runUntil(socket.closed);
    }));

  // An idle connection is closed gracefully after a minute.
  test("ends idle connections", () =>
    withStacks(async ({ connect, clock }) => {
      const socket = connect();
      await ask(clock, socket, GET("/"));
      const before = clock.now();
      expect(await clock.runUntil(readAll(socket))).toBe("");
      expect(clock.now() - before).toBeGreaterThanOrEqual(60_000);
      expect(clock.now() - before).toBeLessThan(61_000);
    }));

  // Handshake, echo, closing handshake.
  test("speaks WebSocket", () =>
    withStacks(async ({ connect, clock }) => {
      const socket = connect();
      expect(statuses(await ask(clock, socket, HANDSHAKE))).toEqual([101]);
      expect(serverFrames(await ask(clock, socket, clientFrame({ opcode: 1, payload: "hi" }))))
        .toEqual([[1, "hi"]]);
      await socket.write(latin1(clientClose(1000)));
      expect(serverFrames(await clock.runUntil(readAll(socket)))).toEqual([[8, 1000, ""]]);
      await socket.closeWrite();
      await clock.runUntil(socket.closed);
    }));

  // A closing stack closes idle connections at once and aborts those that do not end in time.
  test("closes with its stack", () =>
    withStacks(async ({ connect, clock, server }) => {
      const idle = connect();
      await ask(clock, idle, GET("/"));
      const busy = connect();
      await busy.write(latin1(GET("/wait")));
      await clock.advance(100);
      const before = clock.now();
      const closing = server.close({ graceMs: 5000 });
      expect(await clock.runUntil(readAll(idle))).toBe("");
      expect(clock.now() - before).toBeLessThan(1000);
      const ended = readAll(busy).catch((error) => error.code);
      await clock.runUntil(closing);
      expect(await clock.runUntil(ended)).toBe("CONNECTION_RESET");
    }));

  interface Setting {
    clock: VirtualClock;
    server: Stack;
    connect(): TcpSocket;
  }

  async function withStacks(body: (setting: Setting) => Promise<void>): Promise<void> {
    const clock = new VirtualClock();
    const [here, there] = linkPair();
    const server = createStack({ link: here, addresses: ["10.0.0.1/24"], clock });
    server.use(80, http(app));
    const client = createStack({ link: there, addresses: ["10.0.0.2/24"], clock });
    try {
      const connect = () => client.connect("10.0.0.1:80", { allowHalfOpen: true });
      await body({ clock, server, connect });
    } finally {
      await clock.runUntil(Promise.all([client.close(), server.close()]));
    }
  }
});

async function ask(clock: VirtualClock, socket: TcpSocket, text: string): Promise<string> {
  await socket.write(latin1(text));
  return await clock.runUntil(readSome(socket));
}

async function readSome(socket: TcpSocket): Promise<string> {
  const buffer = new Uint8Array(65_536);
  return textOf(buffer.subarray(0, (await socket.read(buffer)) ?? 0));
}

async function readAll(socket: TcpSocket): Promise<string> {
  const parts: string[] = [];
  for await (const chunk of socket) parts.push(textOf(chunk));
  return parts.join("");
}
