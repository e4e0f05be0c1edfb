import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { upgradeWebSocket } from "../../../plugins/http/websocket.ts";
import { settle } from "../../support/fake_socket.ts";
import { until } from "../../support/until.ts";
import { clientClose, clientFrame } from "../http/websocket/support.ts";
import { HELLO, serve } from "./support.ts";

const CONNECT = "CONNECT /echo :protocol=websocket sec-websocket-version=13";

function echoServer() {
  const events: string[] = [];
  const app = new Hono()
    .get(
      "/echo",
      upgradeWebSocket(() => ({
        onOpen: () => void events.push("open"),
        onMessage: (event, ws) => ws.send(event.data),
        onClose: (event) => void events.push(`close ${event.code}`),
      }), { protocols: ["chat"] }),
    )
    .get("/plain", (c) => c.text(`${c.req.header("upgrade")}`));
  const served = serve(app);
  return {
    ...served,
    events,
    /** Opens a WebSocket on each of the streams; returns the frames of the answers. */
    async open(streams: number[], more = ""): Promise<string[]> {
      await served.send(...streams.map((stream) => `HEADERS ${stream} ${CONNECT}${more}`));
      const frames: string[] = [];
      await until(() => {
        frames.push(...served.received());
        return frames.filter((frame) => frame.includes(":status=200")).length === streams.length;
      });
      return frames;
    },
  };
}

/** DATA of bytes given as text. */
function data(stream: number, text: string): string {
  const payload = Array.from(text, (c) => c.charCodeAt(0).toString(16).padStart(2, "0")).join("");
  return `FRAME 0 0 ${stream} ${payload}`;
}

describe("a WebSocket over HTTP/2", () => {
  // An extended CONNECT is answered by 200; frames of RFC 6455 are carried in DATA, and Close ends
  // both sides.
  test("speaks through a stream (RFC 8441 5)", async () => {
    const { send, received, events, lines, open } = echoServer();
    await send(...HELLO);
    received();
    expect(await open([1], " sec-websocket-protocol=chat"))
      .toEqual(["HEADERS 1 :status=200 sec-websocket-protocol=chat"]);
    await send(data(1, clientFrame({ opcode: 1, payload: "ahoy" })));
    expect(received()).toEqual(['DATA 1 "\x81\x04ahoy"']);
    await send(data(1, clientClose(1000, "")));
    await settle();
    expect(received()).toEqual(['DATA 1 "\x88\x02\x03\xe8"', 'DATA 1 END_STREAM ""']);
    await send("DATA 1 END_STREAM");
    await settle();
    expect(events).toEqual(["open", "close 1000"]);
    expect(lines.filter(({ level }) => level === "error")).toEqual([]);
    // The connection serves further requests.
    await send("HEADERS 3 END_STREAM GET /plain");
    expect(received().at(-1)).toBe('DATA 3 END_STREAM "undefined"');
  });

  // Two WebSockets and a request on one connection, independent of each other.
  test("shares its connection", async () => {
    const { send, received, open } = echoServer();
    await send(...HELLO);
    await open([1, 3]);
    const message = (payload: string) => clientFrame({ opcode: 1, payload });
    await send(
      data(1, message("one")),
      data(3, message("three")),
      "HEADERS 5 END_STREAM GET /plain",
    );
    await settle();
    expect(received().filter((frame) => frame.startsWith("DATA")).sort()).toEqual([
      'DATA 1 "\x81\x03one"',
      'DATA 3 "\x81\x05three"',
      'DATA 5 END_STREAM "undefined"',
    ]);
  });

  // Messages that arrive together are answered in one frame, unless the stream's window is too
  // small.
  test("answers the messages of one read in one frame", async () => {
    const { send, received, open } = echoServer();
    await send(...HELLO, "SETTINGS INITIAL_WINDOW_SIZE=22");
    await open([1]);
    const message = (payload: string) => clientFrame({ opcode: 1, payload });
    await send(data(1, message("one") + message("two") + message("three")));
    expect(received()).toEqual(['DATA 1 "\x81\x03one\x81\x03two\x81\x05three"']);
    await send(data(1, message("four") + message("five")));
    expect(received()).toEqual(['DATA 1 "\x81\x04fou"']);
    await send(data(1, message("six")), "WINDOW_UPDATE 1 100");
    expect(received()).toEqual(['DATA 1 "r\x81\x04five"', 'DATA 1 "\x81\x03six"']);
  });

  // RST_STREAM corresponds to a RST of the connection.
  test("ends with 1006 when its stream is reset", async () => {
    const { send, events, open } = echoServer();
    await send(...HELLO);
    await open([1]);
    await send("RST_STREAM 1 CANCEL");
    await settle();
    expect(events).toEqual(["open", "close 1006"]);
  });

  // END_STREAM without Close, or the end of the connection, is an end without the closing
  // handshake.
  test.each([["DATA 1 END_STREAM"], ["FIN"]])("ends with 1006 at %s", async (frame) => {
    const { send, events, open } = echoServer();
    await send(...HELLO);
    await open([1]);
    await send(frame);
    await settle();
    expect(events).toEqual(["open", "close 1006"]);
  });

  // A message larger than the client's windows continues when they open.
  test("waits for the windows of its stream (RFC 9113 6.9)", async () => {
    const { send, received, open } = echoServer();
    await send(...HELLO, "SETTINGS INITIAL_WINDOW_SIZE=10");
    await open([1]);
    await send(data(1, clientFrame({ opcode: 1, payload: "0123456789ab" })));
    expect(received()).toEqual(['DATA 1 "\x81\x0c01234567"']);
    await send("WINDOW_UPDATE 1 10");
    expect(received()).toEqual(['DATA 1 "89ab"']);
  });

  // A client that does not wait for the answer: no message is lost.
  test("keeps messages that arrive before it is open", async () => {
    const { send, received } = echoServer();
    const message = data(1, clientFrame({ opcode: 1, payload: "early" }));
    await send(...HELLO, `HEADERS 1 ${CONNECT}`, message);
    const frames: string[] = [];
    await until(() => {
      frames.push(...received());
      return frames.at(-1) === 'DATA 1 "\x81\x05early"';
    });
  });

  // An invalid handshake, and an app without a WebSocket at this path.
  test("is refused with an HTTP status", async () => {
    const { send, received } = echoServer();
    await send(...HELLO);
    received();
    await send(`HEADERS 1 ${CONNECT.replace("=13", "=12")}`);
    expect(received()[0]).toMatch(/^HEADERS 1 :status=426/);
    await send("HEADERS 3 CONNECT /plain :protocol=websocket sec-websocket-version=13");
    expect(received()[0]).toMatch(/^HEADERS 3 :status=200 content-type/);
  });
});
