import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import {
  openWebSocketLink,
  type WebSocketLike,
  WebSocketLink,
  webSocketLink,
} from "../../../adapters/links/web_socket.ts";
import { createStack } from "../../../core/api/stack.ts";
import { type Link, PacketBatch } from "../../../core/stack/link.ts";
import { echo } from "../../../plugins/echo.ts";
import { pattern, udpPacket } from "../../support/packets.ts";
import { linkConformance } from "./link_conformance.ts";
import { openServer, type WebSocketServer } from "./web_socket_server.ts";

const routes = [{ from: "10.0.0.1", to: "10.0.0.2" }, { from: "fd00::1", to: "fd00::2" }];
const [route] = routes as [typeof routes[0]];

let server: WebSocketServer;
let attached: PromiseWithResolvers<Link>;

beforeAll(async () => {
  server = await openServer((link) => attached.resolve(link));
});
afterAll(async () => await server[Symbol.asyncDispose]());

/** A client's link and the server's link. */
async function join(): Promise<[Link, Link]> {
  attached = Promise.withResolvers();
  const client = await openWebSocketLink(server.url);
  return [client, await attached.promise];
}

linkConformance("a WebSocket of the runtime itself", async () => {
  const [left, right] = await join();
  return { left, right, routes, isSlow: true };
});

linkConformance("a WebSocket of the http plugin", async () => {
  const [right, left] = await join();
  return { left, right, routes, isSlow: true };
});

describe("webSocketLink", () => {
  // Both sides end, whichever closes, and a stack on the link ends too.
  test.each(["the client", "the server"])("ends when %s closes", async (who) => {
    const [client, other] = await join();
    const [mine, theirs] = who === "the client" ? [client, other] : [other, client];
    const stack = createStack({ link: theirs, addresses: ["10.9.0.1/24"] });
    await mine.close();
    await stack.finished;
    expect(theirs.send(udpPacket(route, pattern(10)))).toBe(false);
  });

  // A stack on each end.
  test("carries connections", async () => {
    const [left, right] = await join();
    await using there = createStack({ link: right, addresses: ["10.9.0.1/24", "fd09::1/64"] });
    there.use(7, echo());
    await using here = createStack({ link: left, addresses: ["10.9.0.2/24", "fd09::2/64"] });
    for (const address of ["10.9.0.1:7", "[fd09::1]:7"]) {
      await using socket = here.connect(address, { allowHalfOpen: true });
      const sent = pattern(500_000);
      const writing = socket.write(sent).then(() => socket.closeWrite());
      const got: Uint8Array[] = [];
      for await (const chunk of socket) got.push(chunk.slice());
      await writing;
      expect(Buffer.concat(got).equals(sent)).toBe(true);
    }
  });

  // Closed port: one message with the URL.
  test("openWebSocketLink reports the URL that it could not reach", async () => {
    await expect(openWebSocketLink("ws://127.0.0.1:1/x")).rejects.toThrow(
      "there is no WebSocket at ws://127.0.0.1:1/x",
    );
  });
});

/** A WebSocket without a peer. */
class FakeWebSocket implements WebSocketLike {
  binaryType = "blob";
  readyState = 1;
  bufferedAmount = 0;
  readonly sent: Uint8Array[] = [];
  readonly closedWith: unknown[] = [];
  readonly #listeners = new Map<string, (event: { readonly data: unknown }) => void>();

  send(data: Uint8Array<ArrayBuffer>): void {
    this.sent.push(data);
    this.bufferedAmount += data.length;
  }

  close(code?: number): void {
    this.closedWith.push(code);
  }

  addEventListener(type: string, listener: (event: { readonly data: unknown }) => void): void {
    this.#listeners.set(type, listener);
  }

  hear(data: unknown): void {
    this.#listeners.get("message")!({ data });
  }

  end(): void {
    this.#listeners.get("close")!({ data: undefined });
  }
}

describe("WebSocketLink", () => {
  // A peer that does not read cannot use more memory than the limit.
  test("drops packets beyond its send buffer", () => {
    const ws = new FakeWebSocket();
    const link = webSocketLink(ws, { maxBufferedBytes: 3000 });
    const send = () => link.send(udpPacket(route, pattern(972)));
    expect([send(), send(), send(), send()]).toEqual([true, true, true, false]);
    ws.bufferedAmount = 1000;
    expect(send()).toBe(true);
    expect(ws.sent.length).toBe(4);
  });

  // Invalid messages are only counted.
  test("counts invalid messages by reason", () => {
    const ws = new FakeWebSocket();
    const link = webSocketLink(ws, { mtu: 1000, queue: 2 });
    expect(ws.binaryType).toBe("arraybuffer");
    for (const message of ["text", undefined, 7, new Blob([])]) ws.hear(message);
    ws.hear(new ArrayBuffer(1001));
    for (let i = 0; i < 5; i++) ws.hear(new ArrayBuffer(1000));
    expect(link.stats()).toEqual({
      "drop.not-binary": 4,
      "drop.too-large": 1,
      "drop.queue-full": 3,
    });
    expect(link.receive(new PacketBatch(8))).toBe(2);
    expect(link.receive(new PacketBatch(8))).toBe(0);
    ws.hear(pattern(100).subarray(10, 30));
    const batch = new PacketBatch(8);
    expect(link.receive(batch)).toBe(1);
    expect(batch.packets[0]!.slice(0, batch.sizes[0])).toEqual(pattern(100).slice(10, 30));
  });

  // A browser's WebSocket throws if data is sent before it is open.
  test("drops packets sent before it is open", () => {
    const ws = new FakeWebSocket();
    ws.readyState = 0;
    const link = webSocketLink(ws);
    expect(link.send(udpPacket(route, pattern(10)))).toBe(false);
    expect(ws.sent.length).toBe(0);
  });

  // Each closes the other once.
  test("closes the WebSocket once", async () => {
    const [one, other] = [new FakeWebSocket(), new FakeWebSocket()];
    await webSocketLink(one).close();
    expect(one.closedWith).toEqual([1000]);
    const link = webSocketLink(other);
    const waiting = link.ready();
    other.end();
    expect(await waiting).toBe(false);
    await link.close();
    expect(other.closedWith).toEqual([]);
  });

  // One message that names the option and its range.
  test.each([{ mtu: 67 }, { mtu: 65_536 }, { maxBufferedBytes: 1000 }, { queue: 0 }])(
    "refuses %j",
    (options) => {
      const name = Object.keys(options)[0]!;
      expect(() => new WebSocketLink(options)).toThrow(`${name} must be an integer from`);
    },
  );
});
