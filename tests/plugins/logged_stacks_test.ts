import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { upgradeWebSocket } from "../../plugins/http/websocket.ts";
import type { WebSocketEvents } from "../../plugins/http/websocket/types.ts";
import type { FetchApp } from "../../plugins/shared/http/fetch_app.ts";
import { type LogLine, settle } from "../support/fake_socket.ts";
import { serve } from "./http/support.ts";
import { clientFrame, HANDSHAKE } from "./http/websocket/support.ts";
import { until } from "../support/until.ts";
import { HELLO, serve as serveHttp2 } from "./http2/support.ts";

/** Fails with a cause; both stack traces name this file. */
function fails(): never {
  throw new Error("as asked", { cause: new RangeError("the cause") });
}

const EXPECTED =
  /^Error: as asked\n[^]*fails[^]*logged_stacks_test[^]*Caused by: RangeError: the cause/;

function stackedErrors(lines: readonly LogLine[]): [string, unknown][] {
  return lines.filter(({ level }) => level === "error")
    .map(({ message, fields }) => [message, fields?.["stack"]]);
}

/** Each way in which an app fails. */
const APPS: Readonly<Record<string, FetchApp["fetch"]>> = {
  "throws": () => fails(),
  "rejects": async () => {
    await Promise.resolve();
    return fails();
  },
  "has a body that fails at once": () => new Response(new ReadableStream({ pull: () => fails() })),
  "has a body that fails later": () =>
    new Response(
      new ReadableStream({
        start: (c) => c.enqueue(new Uint8Array(10)),
        async pull() {
          await Promise.resolve();
          fails();
        },
      }, { highWaterMark: 0 }),
    ),
};

/** Each way in which a WebSocket's handlers fail. */
const EVENTS: Readonly<Record<string, () => WebSocketEvents | Promise<WebSocketEvents>>> = {
  "onOpen throws": () => ({ onOpen: () => fails() }),
  "onMessage throws": () => ({ onMessage: () => fails() }),
  "onMessage rejects": () => ({
    onMessage: async () => {
      await Promise.resolve();
      fails();
    },
  }),
};

const webSocketApp = (events: () => WebSocketEvents | Promise<WebSocketEvents>) =>
  new Hono().get("/ws", upgradeWebSocket(events));

/** DATA of bytes given as text. */
function data(stream: number, text: string): string {
  const payload = Array.from(text, (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return `FRAME 0 0 ${stream} ${payload}`;
}

describe("the log has the stack of an app's error, with its causes,", () => {
  // The client gets 500 or the end of its connection.
  test.each(Object.entries(APPS))("over HTTP/1.1 if it %s", async (_, fetch) => {
    const { send, lines } = serve(fetch);
    await send("GET / HTTP/1.1\r\nHost: a\r\n\r\n");
    await settle();
    expect(stackedErrors(lines)).toEqual([
      ["http: the application failed", expect.stringMatching(EXPECTED)],
    ]);
  });

  // The client gets 500 or the end of its stream.
  test.each(Object.entries(APPS))("over HTTP/2 if it %s", async (_, fetch) => {
    const { send, lines } = serveHttp2(fetch);
    await send(...HELLO);
    await send("HEADERS 1 END_STREAM GET /");
    await settle();
    expect(stackedErrors(lines)).toEqual([
      ["http2: the application failed", expect.stringMatching(EXPECTED)],
    ]);
  });
});

describe("the log has the stack of an error of a WebSocket's handler,", () => {
  // The client gets a Close with 1011.
  test.each(Object.entries(EVENTS))("over HTTP/1.1: %s", async (_, events) => {
    const { send, lines } = serve(webSocketApp(events));
    await send(HANDSHAKE);
    await send(clientFrame({ opcode: 1, payload: "ahoy" }));
    await until(() => stackedErrors(lines).length > 0);
    expect(stackedErrors(lines)).toEqual([
      ["http: a WebSocket handler failed", expect.stringMatching(EXPECTED)],
    ]);
  });

  // The same through a stream of HTTP/2.
  test.each(Object.entries(EVENTS))("over HTTP/2: %s", async (_, events) => {
    const { send, lines } = serveHttp2(webSocketApp(events));
    await send(...HELLO);
    await send("HEADERS 1 CONNECT /ws :protocol=websocket sec-websocket-version=13");
    await send(data(1, clientFrame({ opcode: 1, payload: "ahoy" })));
    await until(() => stackedErrors(lines).length > 0);
    expect(stackedErrors(lines)).toEqual([
      ["http: a WebSocket handler failed", expect.stringMatching(EXPECTED)],
    ]);
  });

  // The function that an upgrade calls for its handlers is a part of the app.
  test.each(["HTTP/1.1", "HTTP/2"])("which makes them over %s", async (version) => {
    const app: FetchApp["fetch"] = (request, env) =>
      webSocketApp(() => fails()).onError((error) => {
        throw error;
      }).fetch(request, env);
    const served = version === "HTTP/2" ? serveHttp2(app) : serve(app);
    if (version === "HTTP/2") {
      await served.send(...HELLO as [string]);
      await served.send("HEADERS 1 CONNECT /ws :protocol=websocket sec-websocket-version=13");
    } else await served.send(HANDSHAKE);
    await until(() => stackedErrors(served.lines).length > 0);
    expect(stackedErrors(served.lines)).toEqual([
      [expect.stringContaining("the application failed"), expect.stringMatching(EXPECTED)],
    ]);
  });
});
