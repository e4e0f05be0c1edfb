import { describe, expect, test } from "bun:test";
import type { Handler } from "../../../core/api/types.ts";
import { echo } from "../../../plugins/echo.ts";
import { shape } from "../../../plugins/middleware/shape.ts";
import { bytes, codeOf, readText, StackPair } from "../../core/api/stack_pair.ts";
import { countBytes, dial, timersLeft } from "./support.ts";

const RATE = 100_000;

const send = (count: number): Handler => async ({ socket }) => {
  await socket.write(new Uint8Array(count));
};

/** Milliseconds that `work` takes. */
async function time(pair: StackPair, work: Promise<unknown>): Promise<number> {
  const begin = pair.clock.now();
  await pair.run(work);
  return pair.clock.now() - begin;
}

describe("shape", () => {
  // A million bytes at 100,000 a second, within 10 %.
  test("limits the rate of sending", async () => {
    await using pair = new StackPair();
    pair.server.use(19, shape({ sendRate: RATE }), send(1_000_000));
    const client = dial(pair, 19);
    let received = 0;
    const took = await time(pair, countBytes(client).then((count) => received = count));
    expect(received).toBe(1_000_000);
    expect(took).toBeGreaterThan(9_000);
    expect(took).toBeLessThan(11_000);
    await pair.run(client.close());
  });

  // In the other direction, the sender finds the window closed.
  test("limits the rate of receiving", async () => {
    await using pair = new StackPair();
    let received = 0;
    pair.server.use(9, shape({ receiveRate: RATE }), async ({ socket }) => {
      received = await countBytes(socket);
    });
    const client = dial(pair, 9);
    const took = await time(
      pair,
      client.write(new Uint8Array(1_000_000)).then(() => client.closeWrite()).then(() =>
        countBytes(client)
      ),
    );
    expect(received).toBe(1_000_000);
    expect(took).toBeGreaterThan(9_000);
    expect(took).toBeLessThan(11_000);
  });

  // After a pause a burst passes at once, and the rest waits.
  test("allows a burst", async () => {
    await using pair = new StackPair();
    pair.server.use(19, shape({ sendRate: 1000, burst: 10_000 }), send(12_000));
    const client = dial(pair, 19);
    let received = 0;
    const all = (async () => {
      for await (const chunk of client) received += chunk.length;
    })();
    await pair.clock.advance(100);
    expect(received).toBe(10_000);
    const took = await time(pair, all);
    expect(took).toBeGreaterThan(1_800);
    expect(took).toBeLessThan(2_200);
    await pair.run(client.close());
  });

  // Each connection has its own rate, or four share it and get a quarter each.
  test.each([[false, 2_000], [true, 8_000]])(
    "shares the rate between connections: %j",
    async (shared: boolean, expected: number) => {
      await using pair = new StackPair();
      pair.server.use(19, shape({ sendRate: RATE, shared }), send(200_000));
      const clients = [0, 1, 2, 3].map(() => dial(pair, 19));
      const ends: number[] = [];
      const reading = clients.map((client) =>
        countBytes(client).then(() => ends.push(pair.clock.now()))
      );
      await pair.run(Promise.all(reading));
      expect(ends.at(-1)!).toBeGreaterThan(expected * 0.9);
      expect(ends.at(-1)!).toBeLessThan(expected * 1.1);
      expect(ends[0]!).toBeGreaterThan(expected * 0.85);
      for (const client of clients) await pair.run(client.close());
    },
  );

  // Both directions with a half-close: no byte is lost.
  test("carries an echo unchanged", async () => {
    await using pair = new StackPair();
    pair.server.use(7, shape({ sendRate: RATE, receiveRate: RATE, burst: 700 }), echo());
    const client = dial(pair, 7);
    const text = Array.from({ length: 5_000 }, (_, index) => `${index} `).join("");
    const answer = readText(client);
    await client.write(bytes(text));
    await client.closeWrite();
    expect(await pair.run(answer)).toBe(text);
  });

  // A disconnected peer leaves no timer and is not logged as an error.
  test("ends with its connection", async () => {
    await using pair = new StackPair();
    pair.server.use(19, shape({ sendRate: 1 }), send(1_000));
    const client = dial(pair, 19);
    await pair.run(client.opened);
    client.abort();
    expect(await codeOf(client.closed)).toBe("CONNECTION_ABORTED");
    await pair.clock.advance(10);
    expect(await timersLeft(pair)).toBe(0);
    expect(pair.lines).toEqual([]);
  });

  // One message names the invalid option.
  test("refuses an invalid rate", () => {
    expect(() => shape({ sendRate: 0 })).toThrow(/^shape: options\.sendRate: /);
    expect(() => shape({ burst: 0 })).toThrow(/^shape: options\.burst: /);
  });
});
