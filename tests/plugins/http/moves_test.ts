import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import type { TcpSocket } from "../../../core/api/types.ts";
import { http } from "../../../plugins/http.ts";
import { upgradeWebSocket } from "../../../plugins/http/websocket.ts";
import { SERVER, ThreeStacks } from "../../core/api/moves/three_stacks.ts";

const GET = "GET / HTTP/1.1\r\nHost: berth\r\n\r\n";
/** A handshake whose answer is that of RFC 6455 1.3. */
const UPGRADE =
  "GET /chat?room=1 HTTP/1.1\r\nHost: berth\r\nUpgrade: websocket\r\nConnection: Upgrade\r\n" +
  "Sec-WebSocket-Key: dGhlIHNhbXBsZSBub25jZQ==\r\nSec-WebSocket-Version: 13\r\nX-Name: \xe9\r\n\r\n";
const encode = (text: string) => Uint8Array.from(text, (character) => character.charCodeAt(0));

/** A masked text frame; the mask is zero. */
const frame = (text: string) =>
  encode(`\x81${String.fromCharCode(0x80 | text.length)}\0\0\0\0${text}`);

/** Servers that send their name. */
function serve(net: ThreeStacks, events: string[] = []): void {
  for (const [index, server] of net.servers.entries()) {
    const app = new Hono()
      .get("/", (c) => c.text(`server ${index}`))
      .get("/slow", async (c) => {
        await new Promise((resolve) =>
          net.clock.schedule(net.clock.now() + 5000, () => resolve(0))
        );
        return c.text("slow");
      })
      .get(
        "/chat",
        upgradeWebSocket((c) => ({
          onOpen: () =>
            events.push(
              `${index} open ${new URL(c.req.url).searchParams.get("room")} ${
                c.req.raw.headers.get("x-name")
              }`,
            ),
          onMessage: (event, ws) => ws.send(`${index} ${event.data}`),
          onClose: ({ code }) => events.push(`${index} close ${code}`),
        })),
      );
    server.use(80, http(app));
  }
}

async function readUntil(net: ThreeStacks, socket: TcpSocket, text: string): Promise<string> {
  let all = "";
  while (!all.includes(text)) {
    const target = new Uint8Array(4096);
    const count = await net.run(socket.read(target));
    if (count === null) throw new Error(`it ended after ${all}`);
    all += String.fromCharCode(...target.subarray(0, count));
  }
  return all;
}

describe("http connections that move", () => {
  // A client sends its requests on one connection; each is answered by the server that has it.
  test("continue between requests, and in the middle of a head", async () => {
    await using net = new ThreeStacks();
    serve(net);
    const client = net.client.connect(`${SERVER}:80`);
    await net.run(client.write(encode(GET)));
    expect(await readUntil(net, client, "server")).toContain("server 0");
    await net.move(0);
    net.route(1);
    await net.run(client.write(encode(GET)));
    expect(await readUntil(net, client, "server")).toContain("server 1");

    await net.run(client.write(encode(GET.slice(0, 20))));
    await net.clock.advance(10);
    await net.move(1);
    net.route(0);
    await net.run(client.write(encode(GET.slice(20))));
    expect(await readUntil(net, client, "server")).toContain("server 0");
    client.abort();
  });

  // The server that has received a request has to answer it.
  test("stay while a request is being served", async () => {
    await using net = new ThreeStacks();
    serve(net);
    const client = net.client.connect(`${SERVER}:80`);
    await net.run(client.write(encode(GET.replace("/ ", "/slow "))));
    await net.clock.advance(10);
    const [connection] = net.servers[0].connections();
    const error = await net.run(net.servers[0].freeze(connection!).catch((error) => error));
    expect(error.message).toContain("http is busy with it");
    expect(await readUntil(net, client, "slow")).toContain("200 OK");
    client.abort();
  });
});

describe("WebSockets that move", () => {
  // The application of the new server gets the request again, and opens the WebSocket; the client
  // gets neither a second handshake nor a Close.
  test("continue in the application of the other server", async () => {
    await using net = new ThreeStacks();
    const events: string[] = [];
    serve(net, events);
    const client = net.client.connect(`${SERVER}:80`);
    await net.run(client.write(encode(UPGRADE)));
    expect(await readUntil(net, client, "\r\n\r\n")).toContain("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
    await net.run(client.write(frame("one")));
    expect(await readUntil(net, client, "one")).toBe("\x81\x050 one");
    // The beginning of a frame's header moves along.
    const two = frame("two");
    await net.run(client.write(two.subarray(0, 3)));
    await net.clock.advance(10);
    await net.move(0);
    net.route(1);
    await net.run(client.write(two.subarray(3)));
    expect(await readUntil(net, client, "two")).toBe("\x81\x051 two");
    expect(events.toSorted()).toEqual(["0 close 1006", "0 open 1 \xe9", "1 open 1 \xe9"]);
    client.abort();
  });

  // The old server has to receive the rest of a message that has begun to arrive.
  test("stay in the middle of a message", async () => {
    await using net = new ThreeStacks();
    serve(net);
    const client = net.client.connect(`${SERVER}:80`);
    await net.run(client.write(encode(UPGRADE)));
    await readUntil(net, client, "\r\n\r\n");
    await net.run(client.write(frame("half").subarray(0, 8)));
    await net.clock.advance(10);
    const [connection] = net.servers[0].connections();
    const error = await net.run(net.servers[0].freeze(connection!).catch((error) => error));
    expect(error.code).toBe("NOT_MOVABLE");
    client.abort();
  });

  // Another version of the application may have no WebSockets.
  test("are reset if the other application refuses them", async () => {
    await using net = new ThreeStacks();
    serve(net);
    const client = net.client.connect(`${SERVER}:80`);
    await net.run(client.write(encode(UPGRADE)));
    await readUntil(net, client, "\r\n\r\n");
    const [connection] = net.servers[0].connections();
    const frozen = await net.run(net.servers[0].freeze(connection!));
    const other = new ThreeStacks();
    other.servers[1].use(80, http(new Hono().get("/chat", (c) => c.text("no"))));
    const socket = other.servers[1].thaw(frozen.record);
    expect(await other.run(socket.closed.catch(({ code }) => code))).toBe("CONNECTION_ABORTED");
    frozen.release();
    client.abort();
  });
});
