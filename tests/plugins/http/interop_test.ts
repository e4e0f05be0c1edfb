import { createServer, type Server, type Socket } from "node:net";
import type { AddressInfo } from "node:net";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { systemClock } from "../../../core/api/environment.ts";
import { http } from "../../../plugins/http.ts";
import { upgradeWebSocket } from "../../../plugins/http/websocket.ts";
import { type FakeSocket, socketPair, testContext } from "../../support/fake_socket.ts";

// The runtime's own clients over the kernel's loopback, as independent implementations of HTTP and
// WebSocket.
describe("the runtime's own clients", () => {
  const app = new Hono();
  app.get("/", (c) => c.text("hello"));
  app.post("/echo", (c) => new Response(c.req.raw.body));
  app.get("/fail", () => new Response(failing()));
  app.get(
    "/ws",
    upgradeWebSocket(() => ({
      onMessage: (event, ws) => event.data === "bye" ? ws.close(3000, "bye") : ws.send(event.data),
    })),
  );
  let server: Server;
  let authority = "";
  const sockets = new Set<Socket>();

  beforeAll(async () => {
    server = createServer({ allowHalfOpen: true }, (socket) => serveKernelSocket(socket));
    await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
    authority = `127.0.0.1:${(server.address() as AddressInfo).port}`;
  });
  afterAll(async () => {
    // The clients keep connections open.
    for (const socket of sockets) socket.destroy();
    await new Promise((resolve) => server.close(resolve));
  });

  function serveKernelSocket(socket: Socket): void {
    sockets.add(socket);
    const { client, server } = socketPair();
    const { context } = testContext(server, { clock: systemClock });
    const handled = http(app, { lingerTimeoutMs: 100 }).handle!(context, () => Promise.resolve());
    Promise.resolve(handled).then(() => void server.close(), () => server.abort());
    join(socket, client);
  }

  // Persistent connections, with sequential and concurrent requests.
  test("fetch gets what the app sends", async () => {
    for (let i = 0; i < 20; i++) {
      const response = await fetch(`http://${authority}/`);
      expect(response.status).toBe(200);
      expect(await response.text()).toBe("hello");
    }
    const many = await Promise.all(
      Array.from({ length: 20 }, async () => (await fetch(`http://${authority}/`)).text()),
    );
    expect(new Set(many)).toEqual(new Set(["hello"]));
  });

  // 3 MB in both directions, with a length and chunked.
  test("fetch gets its body back", async () => {
    const body = new Uint8Array(3_000_000).map((_, i) => i * 7 + (i >> 8));
    const url = `http://${authority}/echo`;
    const sized = await fetch(url, { method: "POST", body });
    expect(await digest(await sized.arrayBuffer())).toBe(await digest(body.buffer));
    const stream = new Blob([body]).stream();
    const chunked = await fetch(
      url,
      { method: "POST", body: stream, duplex: "half" } as RequestInit,
    );
    expect(await digest(await chunked.arrayBuffer())).toBe(await digest(body.buffer));
  });

  // A partial response must not look complete.
  test("fetch detects an aborted response", async () => {
    let text: string | undefined;
    try {
      text = await (await fetch(`http://${authority}/fail`)).text();
    } catch {
      text = undefined;
    }
    expect(text).toBe(undefined);
  });

  // Handshake, text, binary, a large message, and the closing handshake.
  test("WebSocket is echoed and closed", async () => {
    const ws = new WebSocket(`ws://${authority}/ws`);
    ws.binaryType = "arraybuffer";
    const received: unknown[] = [];
    const large = "l".repeat(200_000);
    ws.onopen = () => {
      ws.send("text");
      ws.send(Uint8Array.of(1, 2, 3));
      ws.send(large);
      ws.send("bye");
    };
    ws.onmessage = (event) => received.push(event.data);
    const closed = await new Promise<CloseEvent>((resolve) => ws.onclose = resolve);
    expect(received).toEqual(["text", Uint8Array.of(1, 2, 3).buffer, large]);
    expect([closed.code, closed.reason, closed.wasClean]).toEqual([3000, "bye", true]);
  });
});

function failing(): ReadableStream<Uint8Array> {
  let pulls = 0;
  return new ReadableStream({
    async pull(controller) {
      await new Promise((resolve) => setTimeout(resolve, 0));
      if (pulls++ === 0) controller.enqueue(new Uint8Array(10));
      else controller.error(new Error("broken on purpose"));
    },
  });
}

/** Relays bytes, half-closes and resets in both directions. */
function join(socket: Socket, client: FakeSocket): void {
  socket.on("error", () => client.abort());
  socket.on("data", (chunk) => {
    socket.pause();
    client.write(Uint8Array.from(chunk as Uint8Array)).then(
      () => socket.resume(),
      () => socket.destroy(),
    );
  });
  socket.on("end", () => client.closeWrite().catch(() => {}));
  void (async () => {
    try {
      for await (const chunk of client) {
        if (!socket.write(chunk)) await new Promise((resolve) => socket.once("drain", resolve));
      }
      socket.end();
    } catch {
      socket.resetAndDestroy();
    }
  })();
}

async function digest(bytes: BufferSource): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).join();
}
