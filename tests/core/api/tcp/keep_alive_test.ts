import { describe, expect, test } from "bun:test";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { StackPair } from "../stack_pair.ts";

const CONNECTIONS = 600;
/** Packets that the link queues; a TUN device's queue holds 500. */
const QUEUE = 250;
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

/** Opens many connections, held by the server's handlers and all last active at the same time. */
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
  // A program with many connections is killed: most of its RSTs overflow the queue. Each probe of
  // the remaining connections is answered with RST, and the probes do not overflow the queue.
  test("ends connections whose RST was lost with the first probe (RFC 9293 3.8.4)", async () => {
    await using pair = new StackPair({}, KEEP_ALIVE, { queue: QUEUE, dropsWhenFull: true });
    for (const socket of await openMany(pair)) socket.abort();
    await pair.clock.advance(IDLE_MS - 1);
    expect(pair.client.stats()["connections"]).toBe(0);
    expect(pair.server.stats()["connections"]).toBe(CONNECTIONS - QUEUE);
    await pair.clock.advance(2);
    expect(pair.server.stats()).toMatchObject({ connections: 0, timers: 0, linkFull: 0 });
    await pair.clock.advance(INTERVAL_MS);
    expect(pair.clock.pending).toBe(0);
  });

  // The peer's host is gone: every connection times out.
  test("ends all connections if the peer does not answer (RFC 9293 3.8.4)", async () => {
    await using pair = new StackPair({}, KEEP_ALIVE, { queue: QUEUE, dropsWhenFull: true });
    await openMany(pair);
    pair.client.removeAddress("10.0.0.1/24");
    await pair.clock.advance(IDLE_MS + PROBES * INTERVAL_MS - 1);
    expect(pair.server.stats()["connections"]).toBe(CONNECTIONS);
    await pair.clock.advance(2);
    await pair.clock.settle();
    expect(pair.server.stats()).toMatchObject({ connections: 0, timers: 0 });
  });

  // All are probed every minute at the same time: none is ended because answers overflowed the
  // queue.
  test("keeps live connections for hours (RFC 9293 3.8.4)", async () => {
    await using pair = new StackPair({}, KEEP_ALIVE, { queue: QUEUE, dropsWhenFull: true });
    await openMany(pair);
    const before = pair.server.stats()["packetsOut"]!;
    await pair.clock.advance(10 * IDLE_MS + 1);
    expect(pair.server.stats()).toMatchObject({ connections: CONNECTIONS, linkFull: 0 });
    expect(pair.server.stats()["packetsOut"]).toBe(before + 10 * CONNECTIONS);
    expect(pair.client.stats()).toMatchObject({ connections: CONNECTIONS, linkFull: 0 });
  });
});
