import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { macrotask } from "../../../../core/api/runtime/macrotask.ts";
import { MAX_OWNERS } from "../../../../core/api/runtime/owner_notifier.ts";
import { createStack } from "../../../../core/api/stack.ts";
import type { Link } from "../../../../core/stack/link.ts";
import { echoRequest } from "../../../support/packets.ts";

/** A link that counts the calls of its methods. */
function counting(link: Link): { link: Link; calls: () => number } {
  let calls = 0;
  const counted: Link = {
    name: link.name,
    features: link.features,
    receive: (batch) => (calls++, link.receive(batch)),
    ready: () => (calls++, link.ready()),
    send: (packet) => (calls++, link.send(packet)),
    close: () => link.close(),
    [Symbol.asyncDispose]: () => link.close(),
  };
  return { link: counted, calls: () => calls };
}

/**
 * A link with an endless stream of pings of `size` bytes; resolves with the number received before
 * the first reply.
 */
function endless(size: number): { link: Link; taken: Promise<number> } {
  const ping = echoRequest({ from: "10.0.0.2", to: "10.0.0.1" }, new Uint8Array(size));
  const packet = new Uint8Array(ping.byteLength);
  ping.copyTo(packet, 0);
  let count = 0;
  let tell = (_count: number) => {};
  const taken = new Promise<number>((resolve) => tell = resolve);
  let isOpen = true;
  const link: Link = {
    name: "endless",
    features: { mtu: 65_535, maxSuperPacket: 0, checksumOffload: false },
    receive(batch) {
      if (!isOpen) return 0;
      batch.packets.fill(packet);
      batch.sizes.fill(packet.length);
      batch.checksums.fill("full");
      batch.segmentSizes.fill(0);
      count += batch.capacity;
      return batch.capacity;
    },
    ready: () => Promise.resolve(isOpen),
    send: () => (tell(count), true),
    close: () => (isOpen = false, Promise.resolve()),
    [Symbol.asyncDispose]: () => link.close(),
  };
  return { link, taken };
}

describe("the driver", () => {
  // Acknowledgements are processed at once. Small packets of many connections are answered
  // together, even while more keep arriving; large ones are answered without waiting for others.
  test.each([[0, 64], [400, 512], [1400, 192], [30_000, 64]])(
    "processes packets with %d bytes of payload in bursts of %d",
    async (size, burst) => {
      const { link, taken } = endless(size);
      const stack = createStack({ link, addresses: ["10.0.0.1/24"] });
      expect(await taken).toBe(burst);
      await stack.close();
    },
  );

  // An idle connection for a day: no packet, no timer, no call of the link.
  test("is idle while connections are idle", async () => {
    const clock = new VirtualClock();
    const [left, right] = linkPair();
    const counted = counting(left);
    const client = createStack({ link: counted.link, clock, addresses: ["10.0.0.1/24"] });
    const server = createStack({ link: right, clock, addresses: ["10.0.0.2/24"] });
    const listener = server.listen({ port: 80 });
    const socket = client.connect("10.0.0.2:80");
    await clock.runUntil(Promise.all([socket.opened, listener.accept()]));
    await clock.advance(1000);
    const before = counted.calls();
    await clock.advance(86_400_000);
    expect(counted.calls()).toBe(before);
    expect(clock.pending).toBe(0);
    await clock.runUntil(Promise.all([client.close(), server.close()]));
  });

  // A bulk transfer in real time: timers still run.
  test("lets timers run during a bulk transfer", async () => {
    const [left, right] = linkPair({ maxSuperPacket: 65_000, checksumOffload: true });
    const client = createStack({ link: left, addresses: ["10.0.0.1/24"] });
    const server = createStack({ link: right, addresses: ["10.0.0.2/24"] });
    const listener = server.listen({ port: 80 });
    const socket = client.connect("10.0.0.2:80", { allowHalfOpen: true });
    const received = (async () => {
      let count = 0;
      for await (const chunk of await listener.accept()) count += chunk.length;
      return count;
    })();
    let ticks = 0;
    const timer = setInterval(() => ticks++, 1);
    const chunk = new Uint8Array(1024 * 1024);
    for (let i = 0; i < 256; i++) await socket.write(chunk);
    await socket.closeWrite();
    expect(await received).toBe(256 * chunk.length);
    clearInterval(timer);
    expect(ticks).toBeGreaterThan(3);
    await Promise.all([client.close(), server.close()]);
  });

  // Two stacks that answer each other would fill the microtask queue forever; `BUDGET_MS` yields to
  // the event loop.
  test("yields to the event loop while echo keeps both stacks busy", async () => {
    const [left, right] = linkPair();
    const client = createStack({ link: left, addresses: ["10.0.0.1/24"] });
    const server = createStack({ link: right, addresses: ["10.0.0.2/24"] });
    server.use(7, ({ socket }) => socket.readable.pipeTo(socket.writable));
    const socket = client.connect("10.0.0.2:7", { allowHalfOpen: true });
    let over = false;
    setTimeout(() => over = true, 30);
    const byte = new Uint8Array(1);
    let turns = 0;
    for (; !over && turns < 1_000_000; turns++) {
      await socket.write(byte);
      await socket.read(byte);
    }
    expect(over).toBe(true);
    await Promise.all([client.close(), server.close()]);
  });

  // Two hundred requests arrive at once, and each takes the program ten milliseconds. After the
  // first long turn, other tasks of the event loop run between single requests, so a new client
  // does not wait for all of them.
  test("gives others their turn between handlers that compute", async () => {
    let now = 0;
    const clock = { now: () => now, schedule: () => () => {} };
    const [left, right] = linkPair({ queue: 10_000 });
    const client = createStack({ link: left, clock, addresses: ["10.0.0.1/24"] });
    const server = createStack({ link: right, clock, addresses: ["10.0.0.2/24"] });
    let computed = 0;
    let computedBeforeLast = 0;
    server.use(7, async ({ socket }) => {
      computedBeforeLast = computed;
      await socket.read(new Uint8Array(16));
      now += 10;
      computed++;
      await socket.write(new Uint8Array(1));
    });
    const sockets = Array.from({ length: 200 }, () => client.connect("10.0.0.2:7"));
    await Promise.all(sockets.map(({ opened }) => opened));
    const answers = sockets.map(async (socket) => {
      await socket.write(new Uint8Array(1));
      return await socket.read(new Uint8Array(1));
    });
    const last = client.connect("10.0.0.2:7");
    const inTurns: number[] = [];
    while (computed < 200) {
      const before = computed;
      await macrotask();
      if (computed > before) inTurns.push(computed - before);
    }
    expect(await Promise.all(answers)).toEqual(sockets.map(() => 1));
    expect(Math.max(...inTurns)).toBeLessThanOrEqual(2 * MAX_OWNERS);
    expect(inTurns.length).toBeGreaterThan(20);
    await last.opened;
    expect(computedBeforeLast).toBeLessThan(150);
    await Promise.all([client.close(), server.close()]);
  });
});
