import { describe, expect, test } from "bun:test";
import { setImmediate } from "node:timers";
import { http2 } from "../../../plugins/http2.ts";
import { settle, socketPair, testContext } from "../../support/fake_socket.ts";
import { ClientFrames, HELLO } from "./support.ts";

const CLIENTS = 30;

describe("http2", () => {
  // Thirty clients with the hundred streams that each may open: other tasks get their turn after about a
  // thousand requests.
  test("lets others have a turn between thousands of requests", async () => {
    let requests = 0;
    const plugin = http2({
      fetch: () => {
        requests++;
        return new Response("ahoy");
      },
    });
    const frames = Array.from({ length: 100 }, (_, i) => `HEADERS ${2 * i + 1} END_STREAM GET /`);
    const clients = Array.from({ length: CLIENTS }, () => {
      const { client, server } = socketPair();
      void plugin.handle!(testContext(server).context, () => Promise.resolve());
      void client.write(new ClientFrames().write([...HELLO, ...frames]));
      return client;
    });
    const perTurn: number[] = [];
    for (let i = 0; i < 100; i++) {
      const before = requests;
      await new Promise<void>((resolve) => void setImmediate(resolve));
      perTurn.push(requests - before);
    }
    expect(requests).toBe(100 * CLIENTS);
    expect(Math.max(...perTurn)).toBeLessThanOrEqual(1024);
    for (const client of clients) client.abort();
    await settle();
  });
});
