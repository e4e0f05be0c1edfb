import { describe, expect, test } from "bun:test";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { StackPair } from "../stack_pair.ts";

const CONNECTIONS = 2400;
/** Packets that the wire holds, as many as a TUN device's queue. */
const QUEUE = 500;
const AT_ONCE = 200;
const IDLE_MS = 60_000;
const INTERVAL_MS = 5000;
const PROBES = 3;
const KEEP_ALIVE = {
  keepAlive: true,
  keepAliveIdleMs: IDLE_MS,
  keepAliveIntervalMs: INTERVAL_MS,
  keepAliveProbes: PROBES,
} as const;

/** Many connections that the server's handlers hold, all heard of at the same instant. */
async function openMany(pair: StackPair): Promise<TcpSocket[]> {
  pair.server.use(7, async ({ socket }) => {
    while (await socket.read(new Uint8Array(16)) !== null);
  });
  const sockets: TcpSocket[] = [];
  while (sockets.length < CONNECTIONS) {
    const some = Array.from({ length: AT_ONCE }, () => pair.client.connect("10.0.0.2:7"));
    await pair.run(Promise.all(some.map(({ opened }) => opened)));
    sockets.push(...some);
  }
  return sockets;
}

describe("keep-alive of many connections", () => {
  // A program with many connections is killed: so many RSTs at once do not fit into the queue. Each
  // probe of what is left is met with a RST, and the probes do not overflow the queue themselves.
  test("ends the ones whose RSTs were lost with the first probe (RFC 9293 3.8.4)", async () => {
    await using pair = new StackPair({}, KEEP_ALIVE, { queue: QUEUE });
    for (const socket of await openMany(pair)) socket.abort();
    await pair.clock.advance(IDLE_MS - 1);
    expect(pair.client.stats()["connections"]).toBe(0);
    expect(pair.server.stats()["connections"]).toBe(CONNECTIONS - QUEUE);
    await pair.clock.advance(2);
    expect(pair.server.stats()).toMatchObject({ connections: 0, timers: 0, linkFull: 0 });
    await pair.clock.advance(INTERVAL_MS);
    expect(pair.clock.pending).toBe(0);
  });

  // The peer's machine is gone: nothing answers, and every connection is given up in time.
  test("gives all of them up where nobody answers (RFC 9293 3.8.4)", async () => {
    await using pair = new StackPair({}, KEEP_ALIVE, { queue: QUEUE });
    await openMany(pair);
    pair.client.removeAddress("10.0.0.1/24");
    await pair.clock.advance(IDLE_MS + PROBES * INTERVAL_MS - 1);
    expect(pair.server.stats()["connections"]).toBe(CONNECTIONS);
    await pair.clock.advance(2);
    expect(pair.server.stats()).toMatchObject({ connections: 0, timers: 0 });
  });

  // All are probed at the same instant, every minute: none is taken for dead because an answer to so
  // many did not fit into the queue.
  test("keeps the ones that answer, for hours (RFC 9293 3.8.4)", async () => {
    await using pair = new StackPair({}, KEEP_ALIVE, { queue: QUEUE });
    await openMany(pair);
    const before = pair.server.stats()["packetsOut"]!;
    await pair.clock.advance(10 * IDLE_MS + 1);
    expect(pair.server.stats()).toMatchObject({ connections: CONNECTIONS, linkFull: 0 });
    expect(pair.server.stats()["packetsOut"]).toBe(before + 10 * CONNECTIONS);
    expect(pair.client.stats()).toMatchObject({ connections: CONNECTIONS, linkFull: 0 });
  });
});
