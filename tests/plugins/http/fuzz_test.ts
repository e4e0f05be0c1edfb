import { describe, expect, test } from "bun:test";
import { Hono } from "hono";
import { upgradeWebSocket } from "../../../plugins/http/websocket.ts";
import { settle } from "../../support/fake_socket.ts";
import { latin1, reflect, seeded, serve, textOf } from "./support.ts";
import { clientClose, clientFrame, HANDSHAKE } from "./websocket/support.ts";

describe("whatever a client sends", () => {
  const seeds = [
    "GET /a?b HTTP/1.1\r\nHost: h\r\nConnection: keep-alive\r\n\r\n",
    "POST / HTTP/1.1\r\nHost: h\r\nContent-Length: 5\r\nExpect: 100-continue\r\n\r\nhello",
    "POST / HTTP/1.1\r\nHost: h\r\nTransfer-Encoding: chunked\r\n\r\n3;x=y\r\nabc\r\n0\r\nT: u\r\n\r\n",
    "OPTIONS * HTTP/1.1\r\nHost: [::1]:80\r\n\r\nGET http://x.example/ HTTP/1.0\r\n\r\n",
  ];

  // 400 corrupted conversations, split at random: the handler never throws, no error is logged, the
  // client gets only well-formed responses, and no timer is left.
  test("is answered or refused, and never throws", async () => {
    const random = seeded(5);
    for (let round = 0; round < 400; round++) {
      const text = damaged(seeds[Math.floor(random() * seeds.length)]!.repeat(2), random);
      const { client, finished, lines, clock, received } = serve(reflect, {
        pair: { readSize: 1 + Math.floor(random() * 200) },
      });
      void client.write(latin1(text)).then(() => client.closeWrite()).catch(() => {});
      await clock.runUntil(finished);
      await settle();
      expect(lines.filter(({ level }) => level === "error")).toEqual([]);
      for (const response of received().split(/(?=HTTP\/1\.1 \d)/)) {
        expect(response === "" || /^HTTP\/1\.1 \d{3} [\w ]+\r\n/.test(response)).toBe(true);
      }
      expect(clock.pending).toBe(0);
    }
  });

  // The same for WebSocket frames.
  test("is answered or refused in a WebSocket too", async () => {
    const random = seeded(6);
    const app = new Hono().get(
      "/ws",
      upgradeWebSocket(() => ({ onMessage: (event, ws) => ws.send(event.data) })),
    );
    const talk = clientFrame({ opcode: 1, payload: "hello", fin: false }) +
      clientFrame({ opcode: 9, payload: "p" }) + clientFrame({ opcode: 0, payload: "there" }) +
      clientFrame({ opcode: 2, payload: "x".repeat(200) }) + clientClose(1000, "bye");
    for (let round = 0; round < 200; round++) {
      const { client, finished, lines, clock } = serve(app, {
        pair: { readSize: 1 + Math.floor(random() * 100) },
      });
      const text = HANDSHAKE + damaged(talk, random);
      void client.write(latin1(text)).then(() => client.closeWrite()).catch(() => {});
      await clock.runUntil(finished);
      expect(lines.filter(({ level }) => level === "error")).toEqual([]);
      expect(clock.pending).toBe(0);
    }
  });
});

/** `text` with up to four bytes changed, inserted or removed. */
function damaged(text: string, random: () => number): string {
  let result = text;
  for (let i = 0; i < 1 + random() * 4; i++) {
    const at = Math.floor(random() * result.length);
    const byte = textOf(Uint8Array.of(random() * 256));
    const kept = Math.floor(random() * 3);
    result = result.slice(0, at) + (kept < 2 ? byte : "") + result.slice(at + (kept > 0 ? 1 : 0));
  }
  return result;
}
