import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { upgradeWebSocket } from "../../../plugins/http/websocket.ts";
import { settle } from "../../support/fake_socket.ts";
import { seeded } from "../http/support.ts";
import { ClientFrames, HELLO, serve } from "./support.ts";

const app = new Hono()
  .get("/", (c) => c.text("ahoy"))
  .get("/bytes", () => new Response("x".repeat(100_000)))
  .get("/never", () => new Response(new ReadableStream({ pull: () => new Promise(() => {}) })))
  .get("/wait", (c) => {
    return new Promise<Response>((resolve) => {
      c.req.raw.signal.addEventListener("abort", () => resolve(c.text("too late")));
    });
  })
  .post("/echo", (c) => new Response(c.req.raw.body))
  .post("/size", async (c) => c.text(`${(await c.req.arrayBuffer()).byteLength}`))
  .get("/ws", upgradeWebSocket(() => ({ onMessage: (event, ws) => ws.send(event.data) })));

const FRAMES = [
  "HEADERS ID END_STREAM GET /",
  "HEADERS ID END_STREAM GET /bytes",
  "HEADERS ID END_STREAM GET /never",
  "HEADERS ID END_STREAM GET /wait",
  "HEADERS ID POST /echo",
  "HEADERS ID POST /size expect=100-continue",
  "HEADERS ID POST /size content-length=4",
  "HEADERS ID CONNECT /ws :protocol=websocket sec-websocket-version=13",
  'DATA OLD "ahoy"',
  'DATA OLD END_STREAM "ahoy"',
  "DATA OLD zeros=16000",
  "HEADERS OLD END_STREAM x-sum=1",
  "RST_STREAM OLD CANCEL",
  "WINDOW_UPDATE OLD 10000",
  "WINDOW_UPDATE 0 50000",
  "SETTINGS INITIAL_WINDOW_SIZE=0",
  "SETTINGS INITIAL_WINDOW_SIZE=100000",
  "PING 0102030405060708",
  "GOAWAY 0 NO_ERROR",
];

describe("whatever a client of HTTP/2 sends", () => {
  // 300 connections of up to 40 frames, cut at random, every third one corrupted, ended by a FIN, a
  // reset or the stack: the handler never throws, no error is logged, and no timer or stream is
  // left.
  test("is answered or refused, and never makes the handler throw", async () => {
    const random = seeded(9);
    const below = (count: number) => Math.floor(random() * count);
    let answered = 0;
    for (let round = 0; round < 300; round++) {
      const { client, finished, lines, clock, received, stop } = serve(app, {
        pair: { readSize: 1 + below(3000), bufferSize: 100 + below(200_000) },
        counts: true,
      });
      let next = 1;
      const script = Array.from({ length: 5 + below(35) }, () => {
        const frame = FRAMES[below(FRAMES.length - (random() < 0.9 ? 1 : 0))]!;
        if (frame.includes(" ID ")) next += 2;
        const old = Math.max(1, next - 2 - 2 * below(4));
        return frame.replace("ID", String(next - 2)).replace("OLD", String(old));
      });
      const bytes = new ClientFrames().write([...HELLO, ...script]);
      if (round % 3 === 0) {
        for (let i = below(4); i >= 0; i--) bytes[below(bytes.length)] = below(256);
      }
      void client.write(bytes).catch(() => {});
      await settle();
      await clock.advance(below(40_000));
      await settle();
      const ending = below(3);
      if (ending === 0) await client.closeWrite();
      else if (ending === 1) client.abort();
      else stop();
      await settle();
      await clock.advance(100_000);
      // A stack that closes waits for handlers that do not end; then it aborts their connection.
      client.abort();
      await clock.runUntil(finished.catch(() => {}));
      await settle();
      answered += received().filter((frame) => frame.startsWith("HEADERS")).length;
      expect(lines.filter(({ level }) => level === "error")).toEqual([]);
      expect([round, clock.pending]).toEqual([round, 0]);
    }
    expect(answered).toBeGreaterThan(500);
  }, 60_000);
});
