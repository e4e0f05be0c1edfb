import { describe, expect, test } from "bun:test";
import { impair, type Impairments } from "../../../../adapters/links/decorators/impair.ts";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { seededRandom } from "../../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../../core/api/stack.ts";
import type { Stack } from "../../../../core/api/types.ts";
import type { DatagramConn } from "../../../../core/api/udp/datagram.ts";
import { echo } from "../../../../plugins/echo.ts";

const COUNT = 2000;

/** A client and a server with an impaired path from client to server. */
class BadPath implements AsyncDisposable {
  readonly clock = new VirtualClock();
  readonly path;
  readonly client: Stack;
  readonly server: Stack;

  constructor(seed: number, impairments: Impairments) {
    const { clock } = this;
    const [left, right] = linkPair();
    this.path = impair(left, { seed, clock, queue: 100_000, ...impairments });
    const random = () => seededRandom(seed);
    this.client = createStack({
      clock,
      link: this.path,
      addresses: ["10.0.0.1/24", "fd00::1/64"],
      random: random(),
    });
    this.server = createStack({
      clock,
      link: right,
      addresses: ["10.0.0.2/24", "fd00::2/64"],
      random: random(),
    });
  }

  /** Sends distinct datagrams of these sizes, a millisecond apart. */
  async send(conn: DatagramConn, to: string, sizes: readonly number[]): Promise<void> {
    for (let i = 0; i < COUNT; i++) {
      await conn.send(datagram(i, sizes[i % sizes.length]!), to);
      await this.clock.advance(1);
    }
    // Packets in flight arrive, and incomplete datagrams time out.
    await this.clock.advance(70_000);
  }

  async [Symbol.asyncDispose](): Promise<void> {
    await this.clock.runUntil(Promise.all([this.client.close(), this.server.close()]));
  }
}

function datagram(i: number, size: number): Uint8Array<ArrayBuffer> {
  const data = new Uint8Array(size).fill(i * 31);
  data.set([i >> 8, i & 255]);
  return data;
}

/** Number of copies received of each datagram; throws if one differs from those sent. */
async function takeAll(conn: DatagramConn, sizes: readonly number[]): Promise<Map<number, number>> {
  const seen = new Map<number, number>();
  for await (const [data] of conn) {
    const i = (data[0]! << 8) | data[1]!;
    const isSent = i < COUNT && data.length === sizes[i % sizes.length] &&
      data.subarray(2).every((byte) => byte === ((i * 31) & 255));
    if (!isSent) throw new Error(`datagram ${i} arrived changed`);
    seen.set(i, (seen.get(i) ?? 0) + 1);
  }
  return seen;
}

const total = (seen: Map<number, number>) => [...seen.values()].reduce((sum, n) => sum + n, 0);

describe("datagrams on an impaired path", () => {
  // Each datagram arrives as often as the path delivers it.
  test.each([1, 2, 3])("arrive as often as the path delivers them, seed %d", async (seed) => {
    const sizes = [2, 100, 1472];
    await using bad = new BadPath(seed, { loss: 0.1, duplicate: 0.05, delayMs: 20, jitterMs: 15 });
    const server = bad.server.listenDatagram({ port: 9 });
    const taken = takeAll(server, sizes);
    const client = bad.client.listenDatagram({ port: 0 });
    await bad.send(client, "10.0.0.2:9", sizes);
    server.close();
    const seen = await taken;
    const { lost, duplicated } = bad.path.counts;
    expect([lost > 50, duplicated > 20]).toEqual([true, true]);
    expect(total(seen)).toBe(COUNT - lost + duplicated);
    expect(bad.server.stats()["datagramsIn"]).toBe(total(seen));
  });

  // A datagram with a lost or corrupted fragment never arrives.
  test.each(["10.0.0.2:9", "[fd00::2]:9"])("arrive whole or not at all, to %s", async (to) => {
    const sizes = [3000, 10, 9000];
    await using bad = new BadPath(5, {
      loss: 0.03,
      duplicate: 0.03,
      corrupt: 0.03,
      delayMs: 20,
      jitterMs: 10,
    });
    const server = bad.server.listenDatagram({ port: 9 });
    const taken = takeAll(server, sizes);
    const client = bad.client.listenDatagram({ port: 0 });
    await bad.send(client, to, sizes);
    server.close();
    const seen = await taken;
    const stats = bad.server.stats();
    expect(seen.size).toBeGreaterThan(COUNT / 2);
    expect(seen.size).toBeLessThan(COUNT);
    expect(total(seen)).toBe(stats["datagramsIn"]!);
    expect(stats["drop.ip-fragment-timeout"]).toBeGreaterThan(0);
    expect(stats["drop.udp-checksum"]).toBeGreaterThan(0);
  }, 20_000);

  // Echo through a plugin: each datagram received is answered once.
  test("are answered as often as they arrive", async () => {
    const sizes = [2, 1000, 2500];
    await using bad = new BadPath(7, { loss: 0.1, duplicate: 0.1, delayMs: 5 });
    bad.server.use("udp/7", echo());
    const client = bad.client.listenDatagram({ port: 4000 });
    const taken = takeAll(client, sizes);
    await bad.send(client, "10.0.0.2:7", sizes);
    client.close();
    const seen = await taken;
    const { datagramsIn, datagramsOut, flowsOpened } = bad.server.stats();
    expect(datagramsOut).toBe(datagramsIn!);
    expect(total(seen)).toBe(datagramsOut!);
    expect(flowsOpened).toBe(1);
    expect(bad.server.stats()["flows"]).toBe(0);
  });
});
