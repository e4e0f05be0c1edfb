import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import type { WSEvents } from "hono/ws";
import {
  upgradeWebSocket,
  type WebSocketContext,
  type WebSocketEvents,
  type WebSocketOptions,
  type WebSocketSession,
} from "../../../../plugins/http/websocket.ts";
import { settle } from "../../../support/fake_socket.ts";
import { until } from "../../../support/until.ts";
import { latin1, serve, type Served, type ServeOptions } from "../support.ts";
import { clientClose, clientFrame, HANDSHAKE, serverFrames } from "./support.ts";

const echo: WebSocketEvents = { onMessage: (event, ws) => ws.send(event.data) };

describe("a WebSocket", () => {
  // Hono's handlers are called in the order of the conversation, with their arguments.
  test("calls its handlers for open, message and close (RFC 6455 5, 7)", async () => {
    const seen: unknown[] = [];
    const { send, frames, finished, client } = await open({
      onOpen: (_, ws) => {
        seen.push(["open", ws.readyState, ws.url?.pathname, ws.protocol]);
        ws.send("welcome");
      },
      onMessage: (event, ws) => {
        seen.push(["message", event.data]);
        ws.send(event.data as string);
      },
      onClose: (event, ws) => {
        seen.push(["close", event.code, event.reason, event.wasClean, ws.readyState]);
      },
    });
    expect(frames()).toEqual([[1, "welcome"]]);
    await send(clientFrame({ opcode: 1, payload: "hi" }));
    expect(frames()).toEqual([[1, "hi"]]);
    await send(clientFrame({ opcode: 2, payload: "\x00\x01" }));
    expect(frames()).toEqual([[2, "\x00\x01"]]);
    await send(clientClose(1000, "done"));
    expect(frames()).toEqual([[8, 1000, ""]]);
    await client.closeWrite();
    await finished;
    expect(seen).toEqual([
      ["open", 1, "/ws", ""],
      ["message", "hi"],
      ["message", Uint8Array.of(0, 1).buffer],
      ["close", 1000, "done", true, 3],
    ]);
  });

  // Text and bytes of every kind are sent whole; other values are refused.
  test("send accepts text and bytes, everything else is a TypeError", async () => {
    const errors: unknown[] = [];
    const { frames, finished, client } = await open({
      onOpen: (_, ws) => {
        const raw = ws.raw!;
        for (const wrong of [5, [104, 105], { length: 4 }, null, undefined, new Blob(["x"])]) {
          try {
            raw.send(wrong as never);
          } catch (error) {
            errors.push(error);
          }
        }
        raw.send(new Uint16Array([0x3231]));
        raw.send(new Uint8Array([51]).buffer);
        raw.send(new DataView(new ArrayBuffer(1)));
        raw.send("4");
      },
    });
    expect(errors.map((error) => error instanceof TypeError)).toEqual(new Array(6).fill(true));
    expect(frames()).toEqual([[2, "12"], [2, "3"], [2, "\0"], [1, "4"]]);
    await client.closeWrite();
    await finished;
  });

  // Byte by byte, in fragments, and directly after the handshake.
  test("echoes independently of splits (RFC 6455 5.4)", async () => {
    for (const readSize of [1, 7, Infinity]) {
      const served = serve(appOf(echo), { pair: { readSize } });
      const message = "x".repeat(200);
      await served.send(
        HANDSHAKE + clientFrame({ opcode: 1, payload: "early" }) +
          clientFrame({ opcode: 1, payload: message, fin: false }) +
          clientFrame({ opcode: 9, payload: "ping" }) +
          clientFrame({ opcode: 0, payload: "y" }),
      );
      await until(() => served.pending().endsWith("y"));
      const text = served.received();
      expect(serverFrames(text.slice(text.indexOf("\r\n\r\n") + 4))).toEqual([
        [1, "early"],
        [10, "ping"],
        [1, `${message}y`],
      ]);
      served.client.abort();
      await served.finished;
    }
  });

  // Three messages of one segment, one write of three frames; a message alone is written alone.
  test("answers the messages of one read in one write", async () => {
    const { send, frames, server } = await open(echo);
    const writes: number[] = [];
    const tryWrite = server.tryWrite.bind(server);
    server.tryWrite = (bytes) => {
      writes.push(bytes.length);
      return tryWrite(bytes);
    };
    const message = clientFrame({ opcode: 1, payload: "hello" });
    await send(message + message + message);
    expect(frames()).toEqual([[1, "hello"], [1, "hello"], [1, "hello"]]);
    await send(message);
    expect(writes).toEqual([21, 7]);
  });

  // An application may keep a message, although the buffer in which it arrived is reused.
  test("gives every binary message a buffer of its own", async () => {
    const messages: ArrayBuffer[] = [];
    const { send } = await open({ onMessage: (event) => messages.push(event.data as ArrayBuffer) });
    for (const payload of ["", "ab", "cd"]) await send(clientFrame({ opcode: 2, payload }));
    await send(clientFrame({ opcode: 2, payload: "e", fin: false }));
    await send(clientFrame({ opcode: 0, payload: "f" }) + clientFrame({ opcode: 2 }));
    expect(messages.map((buffer) => new TextDecoder().decode(buffer)))
      .toEqual(["", "ab", "cd", "ef", ""]);
    expect(new Set(messages).size).toBe(5);
  });

  // The client and the handlers get the chosen subprotocol.
  test("uses the chosen subprotocol (RFC 6455 4.2.2)", async () => {
    let protocol: string | null = null;
    const app = appOf({ onOpen: (_, ws) => void (protocol = ws.protocol) }, { protocols: ["b"] });
    const { send, received, pending } = serve(app);
    await send(HANDSHAKE.replace("Host", "Sec-WebSocket-Protocol: a, b\r\nHost"));
    await until(() => pending() !== "");
    expect(received()).toContain("sec-websocket-protocol: b\r\n");
    expect(protocol as string | null).toBe("b");
  });

  // Each protocol error of the peer has its close code; the handlers get an error and 1006.
  for (
    const [what, bytes, code] of [
      ["a frame without a mask", clientFrame({ opcode: 1, payload: "a", masked: false }), 1002],
      ["text that is not UTF-8", clientFrame({ opcode: 1, payload: Uint8Array.of(255) }), 1007],
      ["a message above the bound", clientFrame({ opcode: 1, payload: "x".repeat(101) }), 1009],
    ] as [what: string, bytes: string, code: number][]
  ) {
    test(`ends with ${code} on ${what} (RFC 6455 7.1.7)`, async () => {
      const seen: unknown[] = [];
      const { send, frames, finished, client, server } = await open({
        onMessage: () => seen.push("message"),
        onError: () => seen.push("error"),
        onClose: (event) => seen.push(event.code, event.wasClean),
      }, { maxMessageBytes: 100 });
      await send(bytes + clientFrame({ opcode: 1, payload: "later" }));
      expect(frames().map((frame) => frame.slice(0, 2))).toEqual([[8, code]]);
      expect(server.ended).toBe(true);
      await client.closeWrite();
      await finished;
      expect(seen).toEqual(["error", 1006, false]);
    });
  }

  // The application closes: Close, the client's Close, then the server closes the connection first.
  test("can be closed by the application (RFC 6455 7.1.1, 7.1.2)", async () => {
    let ws: WebSocketContext | undefined;
    const seen: unknown[] = [];
    const { send, frames, finished, client, server } = await open({
      onOpen: (_, context) => void (ws = context),
      onMessage: () => seen.push("message"),
      onClose: (event) => seen.push(event.code, event.reason),
    });
    ws!.close(3001, "enough");
    expect(ws!.readyState).toBe(2);
    ws!.send("not sent any more");
    ws!.close(3002);
    await settle();
    expect(frames()).toEqual([[8, 3001, "enough"]]);
    await send(clientFrame({ opcode: 1, payload: "late" }) + clientClose(3001));
    expect(server.ended).toBe(true);
    await client.closeWrite();
    await finished;
    expect(seen).toEqual([3001, ""]);
    expect(ws!.readyState).toBe(3);
    expect(() => ws!.close(1005)).toThrow(RangeError);
  });

  // The client does not answer the Close.
  test("waits at most 5 s for the client's Close", async () => {
    const { clock, finished, server } = await open({ onOpen: (_, ws) => ws.close() });
    await clock.advance(4999);
    expect(server.ending).toBe(undefined);
    await clock.advance(1);
    await finished;
    expect(clock.pending).toBe(0);
  });

  // A silent client is pinged after a minute, and aborted when it stays silent for another.
  test("pings an idle client, and aborts if it does not answer (RFC 6455 5.5.2)", async () => {
    const seen: unknown[] = [];
    const { send, clock, frames, finished, server } = await open({
      onClose: (event) => seen.push(event.code, event.wasClean),
    });
    await clock.advance(60_000);
    expect(frames()).toEqual([[9, ""]]);
    await clock.advance(30_000);
    await send(clientFrame({ opcode: 10 }));
    await clock.advance(60_000);
    expect(frames()).toEqual([[9, ""]]);
    await clock.advance(59_999);
    expect(server.ending).toBe(undefined);
    await clock.advance(1);
    await finished;
    expect(server.ending).toBe("abort");
    expect(seen).toEqual([1006, false]);
    expect(clock.pending).toBe(0);
  });

  // The client half-closes without a Close.
  test("reports 1006 when the stream ends (RFC 6455 7.1.5)", async () => {
    const seen: unknown[] = [];
    const { client, finished } = await open({ onClose: (event) => seen.push(event.code) });
    await client.closeWrite();
    await finished;
    expect(seen).toEqual([1006]);
  });

  // The handlers get the reason of the reset.
  test("reports an error and 1006 when the connection is reset", async () => {
    const seen: unknown[] = [];
    const { client, finished, lines } = await open({
      onError: (event) => seen.push((event as ErrorEvent).error.code),
      onClose: (event) => seen.push(event.code),
    });
    client.abort();
    await finished;
    expect(seen).toEqual(["CONNECTION_RESET", 1006]);
    expect(lines.filter(({ level }) => level !== "debug")).toEqual([]);
  });

  // The close code shows that the server is going away.
  test("closes with 1001 when the stack closes (RFC 6455 7.4.1)", async () => {
    const { stop, frames, send, client, finished } = await open(echo);
    stop();
    await settle();
    expect(frames().map((frame) => frame.slice(0, 2))).toEqual([[8, 1001]]);
    await send(clientClose(1001));
    await client.closeWrite();
    await finished;
  });

  // Thrown synchronously or later: logged, passed to onError, and closed with 1011.
  for (const kind of ["throws", "rejects"]) {
    test(`ends with 1011 when a handler ${kind} (RFC 6455 7.4.1)`, async () => {
      const errors: unknown[] = [];
      const { send, frames, lines } = await open({
        onMessage: () => {
          if (kind === "throws") throw new Error("boom");
          return Promise.reject(new Error("boom"));
        },
        onError: (event) => errors.push((event as ErrorEvent).error.message),
      });
      await send(clientFrame({ opcode: 1, payload: "a" }));
      expect(frames()).toEqual([[8, 1011, ""]]);
      expect(errors).toEqual(["boom"]);
      expect(lines.filter(({ level }) => level === "error").length).toBe(1);
    });
  }
});

describe("upgradeWebSocket", () => {
  // Both forms of Hono's helper accept handlers of Hono's type, and know the app's own types.
  test("is used as Hono's helper is", async () => {
    const handlers: WSEvents<WebSocketSession> = { onOpen: (_, ws) => ws.close(1000) };
    const app = new Hono<{ Variables: { user: string } }>()
      .get("/a/:id", upgradeWebSocket(() => handlers))
      .get("/b/:id", (c) => upgradeWebSocket(c, { onOpen: (_, ws) => ws.send(c.req.param("id")) }))
      .get("/c/:id", upgradeWebSocket((c) => ({ onOpen: (_, ws) => ws.send(`c${c.req.url}`) })));
    const frames = async (path: string) => {
      const { send, received, pending, client } = serve(app);
      await send(HANDSHAKE.replace("/ws?a=b", path));
      await until(() => pending().split("\r\n\r\n")[1] !== "" && pending() !== "");
      client.abort();
      const text = received();
      return serverFrames(text.slice(text.indexOf("\r\n\r\n") + 4).replace("<reset>", ""));
    };
    expect(await frames("/a/1")).toEqual([[8, 1000, ""]]);
    expect(await frames("/b/2")).toEqual([[1, "2"]]);
    expect(await frames("/c/3")).toEqual([[1, "chttp://h/c/3"]]);
  });
});

describe("a WebSocket's backpressure", () => {
  // An echo whose client sends and never reads: nothing is read until it does, so memory is
  // bounded.
  test("stops reading while the client does not read", async () => {
    const served = serve(appOf(echo), { collect: false, pair: { bufferSize: 10_000 } });
    const { client, server } = served;
    await client.write(latin1(HANDSHAKE));
    await client.read(new Uint8Array(1000));
    const frame = latin1(clientFrame({ opcode: 2, payload: "x".repeat(1000) }));
    let sent = 0;
    void (async () => {
      while (sent < 2000) {
        await client.write(frame);
        sent++;
      }
    })().catch(() => {});
    await settle();
    const stalled = sent;
    expect(stalled).toBeLessThan(400);
    await settle();
    expect(sent).toBe(stalled);
    expect(server.ending).toBe(undefined);

    const buffer = new Uint8Array(65_536);
    let received = 0;
    while (sent < 2000) received += (await client.read(buffer))!;
    expect(received).toBeGreaterThan(1_000_000);
    client.abort();
    await served.finished;
  });

  // An application sends endlessly to a client that does not read.
  test("aborts the connection above its limit", async () => {
    let raw: WebSocketSession | undefined;
    const seen: unknown[] = [];
    const { server, finished } = await open(
      {
        onOpen: (_, ws) => void (raw = ws.raw),
        onClose: (event) => seen.push(event.code),
      },
      { maxBufferedBytes: 150_000 },
      { collect: false, pair: { bufferSize: 10_000 } },
    );
    for (let i = 0; i < 200; i++) raw!.send("x".repeat(1000));
    await finished;
    expect(server.ending).toBe("abort");
    expect(seen).toEqual([1006]);
    expect(raw!.readyState).toBe(3);
  });

  // An application can read bufferedAmount to slow down.
  test("is shown by bufferedAmount", async () => {
    let raw: WebSocketSession | undefined;
    const { client } = await open(
      {
        onOpen: (_, ws) => {
          raw = ws.raw;
          ws.send(new Uint8Array(50_000));
        },
      },
      {},
      { collect: false, pair: { bufferSize: 10_000 } },
    );
    // The socket has accepted what its buffer holds.
    const waiting = raw!.bufferedAmount;
    expect(waiting >= 40_004 && waiting < 50_004).toBe(true);
    const buffer = new Uint8Array(65_536);
    for (let read = 0; read < 50_004;) read += (await client.read(buffer))!;
    await settle();
    expect(raw!.bufferedAmount).toBe(0);
    client.abort();
  });
});

function appOf(events: WebSocketEvents, options: WebSocketOptions = {}): Hono {
  return new Hono().get("/ws", upgradeWebSocket(() => events, options));
}

/** A WebSocket after its handshake. */
async function open(
  events: WebSocketEvents,
  options: WebSocketOptions = {},
  serveOptions: ServeOptions = {},
): Promise<Served & { frames(): ReturnType<typeof serverFrames> }> {
  const served = serve(appOf(events, options), serveOptions);
  await served.send(HANDSHAKE);
  await until(() => served.server.stats().bytesOut > 0);
  await settle();
  let early = "";
  if (serveOptions.collect === false) {
    // The first write ends with the handshake's answer.
    const buffer = new Uint8Array(500);
    for (let at = 0; !early.endsWith("\r\n\r\n"); at++) {
      await served.client.read(buffer.subarray(at, at + 1));
      early += String.fromCharCode(buffer[at]!);
    }
  } else {
    const text = served.received();
    early = text.slice(text.indexOf("\r\n\r\n") + 4);
  }
  return {
    ...served,
    frames() {
      const text = (serveOptions.collect === false ? "" : early) + served.received();
      early = "";
      return serverFrames(text);
    },
  };
}
