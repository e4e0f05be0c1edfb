import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { upgradeWebSocket } from "../../../../plugins/http/websocket.ts";
import { acceptKey, chooseProtocol } from "../../../../plugins/http/websocket/handshake.ts";
import { until } from "../../../support/until.ts";
import { contentOf, exchange, serve, statuses } from "../support.ts";
import { HANDSHAKE } from "./support.ts";

const app = new Hono();
app.get("/ws", upgradeWebSocket(() => ({})), (c) => c.text("no upgrade requested"));
app.post("/ws", upgradeWebSocket(() => ({})));

describe("the WebSocket handshake", () => {
  // The example of the RFC, byte for byte.
  test("switches protocols (RFC 6455 1.3, 4.2.2)", async () => {
    const { send, received, pending } = serve(app);
    await send(HANDSHAKE);
    await until(() => pending() !== "");
    expect(received()).toBe(
      "HTTP/1.1 101 Switching Protocols\r\n" +
        "sec-websocket-accept: s3pPLMBiTxaQ9kYGzzhZRbK+xOo=\r\nupgrade: websocket\r\n" +
        "date: *\r\nconnection: Upgrade\r\n\r\n",
    );
  });

  // Keywords are case-insensitive.
  test("accepts keywords in any case (RFC 6455 4.2.1)", async () => {
    const { send, received, pending } = serve(app);
    await send(HANDSHAKE.replace("websocket", "WebSocket").replace("Upgrade\r\n", "UPGRADE\r\n"));
    await until(() => pending() !== "");
    expect(statuses(received())).toEqual([101]);
  });

  // Requests without an upgrade go to the next handler, or get Hono's 404.
  test("leaves other requests to the next handler", async () => {
    const plain = "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n";
    expect(contentOf(await exchange(app, plain))).toBe("no upgrade requested");
    expect(statuses(await exchange(app, plain.replace("GET", "POST")))).toEqual([404]);
  });

  // Each request lacks something that a handshake needs, or has something that it must not have.
  for (
    const [what, request, status] of [
      ["another method", HANDSHAKE.replace("GET", "POST"), 400],
      ["no Connection: Upgrade", HANDSHAKE.replace("keep-alive, Upgrade", "keep-alive"), 400],
      ["no version", HANDSHAKE.replace("Sec-WebSocket-Version: 13\r\n", ""), 426],
      ["version 8", HANDSHAKE.replace("Version: 13", "Version: 8"), 426],
      ["no key", HANDSHAKE.replace(/Sec-WebSocket-Key.*\r\n/, ""), 400],
      ["a short key", HANDSHAKE.replace("dGhlIHNhbXBsZSBub25jZQ==", "dGhl"), 400],
      ["HTTP/1.0", HANDSHAKE.replace("HTTP/1.1", "HTTP/1.0"), 400],
      [
        "a body",
        HANDSHAKE.replace("Host", "Transfer-Encoding: chunked\r\nHost") + "0\r\n\r\n",
        400,
      ],
    ] as [what: string, request: string, status: number][]
  ) {
    test(`with ${what} is refused with ${status} (RFC 6455 4.2.1)`, async () => {
      const text = await exchange(app, request);
      expect(statuses(text)).toEqual([status]);
      if (status === 426) expect(text).toContain("sec-websocket-version: 13\r\n");
    });
  }

  // Fields added by middleware are sent too.
  test("keeps the application's fields", async () => {
    const decorated = new Hono();
    decorated.use(async (c, next) => {
      await next();
      c.header("x-a", "b");
    });
    decorated.get("/ws", upgradeWebSocket(() => ({})));
    const { send, received, pending } = serve(decorated);
    await send(HANDSHAKE);
    await until(() => pending() !== "");
    const text = received();
    expect(statuses(text)).toEqual([101]);
    expect(text).toContain("x-a: b\r\n");
  });

  // Middleware that fails after the handler: no upgrade, and an ordinary answer.
  test("does not happen when the application answers otherwise", async () => {
    const failing = new Hono();
    failing.use(async (c, next) => {
      await next();
      c.res = new Response("no", { status: 503 });
    });
    failing.get("/ws", upgradeWebSocket(() => ({ onOpen: () => expect("opened").toBe("never") })));
    const { send, received, pending } = serve(failing);
    await send(HANDSHAKE + "GET /ws HTTP/1.1\r\nHost: h\r\n\r\n");
    await until(() => statuses(pending()).length === 2);
    expect(statuses(received())).toEqual([503, 503]);
  });

  // On another server, the error says what is missing.
  test("needs the http plugin", async () => {
    const elsewhere = new Hono().onError((error, c) => c.text(error.message, 500));
    elsewhere.get("/ws", upgradeWebSocket(() => ({})));
    const response = await elsewhere.request("/ws", {
      headers: {
        connection: "upgrade",
        upgrade: "websocket",
        "sec-websocket-version": "13",
        "sec-websocket-key": "dGhlIHNhbXBsZSBub25jZQ==",
      },
    });
    expect(await response.text()).toContain("http plugin");
  });
});

describe("upgradeWebSocket", () => {
  // Invalid options are reported when the route is created.
  test("names each invalid option", () => {
    expect(() => upgradeWebSocket(() => ({}), { maxMessageBytes: 0 }))
      .toThrow(/^upgradeWebSocket: .*maxMessageBytes/);
  });
});

describe("acceptKey", () => {
  // RFC 6455 1.3 has the numbers.
  test("hashes key and GUID (RFC 6455 1.3)", async () => {
    expect(await acceptKey("dGhlIHNhbXBsZSBub25jZQ==")).toBe("s3pPLMBiTxaQ9kYGzzhZRbK+xOo=");
  });
});

describe("chooseProtocol", () => {
  // The client's order decides; without a list the first is chosen.
  test("chooses the client's first supported protocol (RFC 6455 4.2.2)", () => {
    const headers = new Headers({ "sec-websocket-protocol": "a, b,c" });
    expect(chooseProtocol(headers, undefined)).toBe("a");
    expect(chooseProtocol(headers, ["c", "b"])).toBe("b");
    expect(chooseProtocol(headers, ["d"])).toBe(undefined);
    expect(chooseProtocol(new Headers(), undefined)).toBe(undefined);
  });
});
