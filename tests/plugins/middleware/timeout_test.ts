import { describe, expect, test } from "bun:test";
import { TcpError } from "../../../core/api/errors.ts";
import type { Handler, Plugin } from "../../../core/api/types.ts";
import { echo } from "../../../plugins/echo.ts";
import { timeout } from "../../../plugins/middleware/timeout.ts";
import { bytes, codeOf, readText, StackPair } from "../../core/api/stack_pair.ts";
import { ask, dial, isAnswered, timersLeft } from "./support.ts";

/** When the connection is reset, in milliseconds from now. */
async function resetAfter(pair: StackPair, closed: Promise<unknown>): Promise<number> {
  const begin = pair.clock.now();
  expect(await pair.run(codeOf(closed))).toBe("CONNECTION_RESET");
  return pair.clock.now() - begin;
}

describe("timeout", () => {
  // An idle connection is aborted soon after the timeout.
  test("ends an idle connection", async () => {
    await using pair = new StackPair();
    pair.server.use(7, timeout({ idleMs: 1000 }), echo());
    const client = dial(pair, 7);
    const after = await resetAfter(pair, client.closed);
    expect(after).toBeGreaterThanOrEqual(1000);
    expect(after).toBeLessThan(1260);
  });

  // A byte every 900 ms keeps it open; then it is idle.
  test("measures idle time from the last byte", async () => {
    await using pair = new StackPair();
    pair.server.use(7, timeout({ idleMs: 1000 }), echo());
    const client = dial(pair, 7);
    for (let sent = 0; sent < 10; sent++) {
      await client.write(bytes("."));
      await pair.clock.advance(900);
    }
    expect(client.state).toBe("ESTABLISHED");
    const after = await resetAfter(pair, client.closed);
    expect(after).toBeGreaterThan(90);
    expect(after).toBeLessThan(400);
  });

  // A busy connection is ended too.
  test("ends a connection that lasts too long", async () => {
    await using pair = new StackPair();
    pair.server.use(7, timeout({ totalMs: 5000, idleMs: 1000 }), echo());
    const client = dial(pair, 7);
    const talking = (async () => {
      for (;;) {
        await client.write(bytes("."));
        await new Promise<void>((resolve) => pair.clock.schedule(pair.clock.now() + 100, resolve));
      }
    })().catch(() => {});
    const after = await resetAfter(pair, client.closed);
    expect(Math.round(after / 10)).toBe(500);
    await pair.run(talking);
  });

  // The limit no longer applies after the first byte.
  test("limits the time until the first byte", async () => {
    await using pair = new StackPair();
    pair.server.use(7, timeout({ firstByteMs: 500 }), echo());
    const [silent, talking] = [dial(pair, 7), dial(pair, 7)];
    await talking.write(bytes("ahoy"));
    expect(Math.round(await resetAfter(pair, silent.closed) / 10)).toBe(50);
    await pair.clock.advance(60_000);
    await talking.closeWrite();
    expect(await pair.run(readText(talking))).toBe("ahoy");
  });

  // The handler gets the reason; it is not logged as a failure.
  test("gives the handler the reason, and logs no failure", async () => {
    await using pair = new StackPair();
    const errors: unknown[] = [];
    const handler: Handler = async ({ socket }) => {
      await socket.read(new Uint8Array(1)).catch((error) => {
        errors.push(error);
        throw error;
      });
    };
    pair.server.use(7, timeout({ idleMs: 1000 }), handler);
    await resetAfter(pair, dial(pair, 7).closed);
    const [error] = errors as [TcpError];
    expect(error.code).toBe("CONNECTION_ABORTED");
    expect((error.cause as TcpError).code).toBe("TIMED_OUT");
    expect((error.cause as TcpError).message).toContain("no byte in either direction for 1000 ms");
    expect(pair.lines.map(({ level }) => level)).toEqual(["debug"]);
  });

  // The handler has returned and the peer does not read: this is idle time too.
  test("ends a connection whose peer does not read the rest", async () => {
    await using pair = new StackPair();
    pair.server.use(7, timeout({ idleMs: 1000 }), ({ socket }) => {
      void socket.write(new Uint8Array(50_000_000)).catch(() => {});
    });
    const client = dial(pair, 7);
    expect(await resetAfter(pair, client.closed)).toBeLessThan(3000);
  });

  // No timer is left after the connection.
  test("leaves no timer behind", async () => {
    await using pair = new StackPair();
    pair.server.use(7, timeout({ idleMs: 60_000, totalMs: 60_000, firstByteMs: 60_000 }), echo());
    expect(await ask(pair, 7, "ahoy")).toBe("ahoy");
    await pair.clock.advance(1);
    expect(pair.clock.now()).toBeLessThan(1000);
    expect(await timersLeft(pair)).toBe(0);
  });

  // A flow ends when it has been idle, and after the maximum duration in any case.
  test("ends flows", async () => {
    await using pair = new StackPair();
    const ends: number[] = [];
    const handler: Plugin = {
      name: "handler",
      async flow({ flow, clock }) {
        for await (const datagram of flow) await flow.send(datagram);
        ends.push(Math.round(clock.now() / 1000));
      },
    };
    pair.server.use("udp/7", timeout({ idleMs: 5000 }), handler)
      .use("udp/8", timeout({ totalMs: 2000 }), handler);
    expect(await isAnswered(pair, "10.0.0.2:7")).toBe(true);
    expect(await isAnswered(pair, "10.0.0.2:8")).toBe(true);
    await pair.clock.advance(10_000);
    expect(ends).toEqual([2, 5]);
    expect(await timersLeft(pair)).toBe(0);
  });

  test("requires a limit", () => {
    expect(() => timeout({})).toThrow(
      "timeout: options: expected at least one of idleMs, totalMs and firstByteMs",
    );
    expect(() => timeout({ idleMs: -1 })).toThrow(/^timeout: options\.idleMs: /);
  });
});
