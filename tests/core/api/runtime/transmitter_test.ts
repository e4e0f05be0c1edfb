import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { seededRandom } from "../../../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../../core/api/stack.ts";
import type { Stack, TcpSocket } from "../../../../core/api/types.ts";
import type { Link } from "../../../../core/stack/link.ts";
import { codeOf, StackPair } from "../stack_pair.ts";

const CONNECTIONS = 10;
const BYTES = 50_000;

/** Bytes that identify their connection and their offset. */
function patternOf(connection: number): Uint8Array<ArrayBuffer> {
  const pattern = new Uint8Array(BYTES);
  seededRandom(connection).fill(pattern);
  return pattern;
}

async function readAll(socket: TcpSocket): Promise<Uint8Array<ArrayBuffer>> {
  return new Uint8Array(await new Response(socket.readable).arrayBuffer());
}

/** A client and a server on a link that holds one packet each way; the server can stop receiving. */
class FrozenPair {
  readonly clock: VirtualClock = new VirtualClock();
  readonly client: Stack;
  readonly server: Stack;
  #isFrozen = false;

  constructor() {
    const { clock } = this;
    const [left, right] = linkPair({ queue: 1 });
    const closed = Promise.withResolvers<boolean>();
    const frozen: Link = {
      name: right.name,
      features: right.features,
      receive: (batch) => this.#isFrozen ? 0 : right.receive(batch),
      ready: async () => await right.ready() && (!this.#isFrozen || closed.promise),
      send: (packet) => right.send(packet),
      close: () => (closed.resolve(false), right.close()),
      [Symbol.asyncDispose]: () => right.close(),
    };
    this.client = createStack({ link: left, clock, addresses: ["10.0.0.1/24"] });
    this.server = createStack({ link: frozen, clock, addresses: ["10.0.0.2/24"] });
  }

  /** A connection; from now on the server's link accepts no more packets. */
  async connectAndFreeze(): Promise<TcpSocket> {
    const listener = this.server.listen({ port: 7 });
    const socket = this.client.connect("10.0.0.2:7", { allowHalfOpen: true });
    await this.clock.runUntil(Promise.all([socket.opened, listener.accept()]));
    this.#isFrozen = true;
    return socket;
  }
}

describe("Transmitter", () => {
  // Ten connections write at once, each more than 30 packets; the link has room for four.
  test("keeps packets in the core while the link is full", async () => {
    await using pair = new StackPair({}, {}, { queue: 4 });
    const listener = pair.server.listen({ port: 7 });
    const received = pair.run((async () => {
      const all: Promise<Uint8Array>[] = [];
      for (let i = 0; i < CONNECTIONS; i++) all.push(readAll(await listener.accept()));
      return await Promise.all(all);
    })());
    const sent = Array.from({ length: CONNECTIONS }, (_, i) => patternOf(i));
    const sockets = sent.map((pattern) => {
      const socket = pair.client.connect("10.0.0.2:7", { allowHalfOpen: true });
      void socket.write(pattern).then(() => socket.closeWrite());
      return socket;
    });
    expect(await received).toEqual(sent);
    expect(sockets.map((socket) => socket.stats().retransmits)).toEqual(sent.map(() => 0));
    expect(pair.client.stats()).toMatchObject({ linkFull: 0 });
    expect(pair.server.stats()).toMatchObject({ linkFull: 0 });
  });

  // A burst of datagrams that the core's own queue holds: the link takes eight at a time.
  test("keeps the order of datagrams", async () => {
    await using pair = new StackPair({}, {}, { queue: 8 });
    const here = pair.client.listenDatagram({ port: 0, hostname: "10.0.0.1" });
    const there = pair.server.listenDatagram({ port: 9, hostname: "10.0.0.2" });
    const remote = { hostname: "10.0.0.2", port: 9, transport: "udp" as const };
    for (let i = 0; i < 500; i++) void here.send(new Uint8Array([i, i >>> 8]), remote);
    const numbers: number[] = [];
    await pair.run((async () => {
      while (numbers.length < 500) {
        const [[low, high]] = await there.receive() as unknown as [Uint8Array];
        numbers.push(low! + 256 * high!);
      }
    })());
    expect(numbers).toEqual(Array.from({ length: 500 }, (_, i) => i));
    expect(pair.client.stats()).toMatchObject({ linkFull: 0 });
  });

  // The other end never takes a packet again: after a second packets are dropped, and the user
  // timeout ends the connection as it does on any link.
  test("does not wait forever for a link that stays full", async () => {
    const pair = new FrozenPair();
    const socket = await pair.connectAndFreeze();
    socket.setUserTimeout(20_000);
    void socket.write(new Uint8Array(BYTES)).catch(() => {});
    await pair.clock.advance(900);
    expect(pair.client.stats()).toMatchObject({ linkFull: 0, connections: 1 });
    expect(await pair.clock.runUntil(codeOf(socket.closed))).toBe("TIMED_OUT");
    expect(pair.clock.now()).toBeLessThan(60_000);
    expect(pair.client.stats()["linkFull"]).toBeGreaterThan(0);
    expect(pair.client.stats()["connections"]).toBe(0);
    await pair.clock.runUntil(Promise.all([pair.client.close(), pair.server.close()]));
  });

  // The link may stay full forever.
  test("close() of a stack does not wait for a full link", async () => {
    const pair = new FrozenPair();
    const socket = await pair.connectAndFreeze();
    void socket.write(new Uint8Array(BYTES)).catch(() => {});
    await pair.clock.settle();
    const before = pair.clock.now();
    await pair.clock.runUntil(pair.client.close());
    expect(pair.clock.now()).toBe(before);
    await pair.clock.runUntil(pair.server.close());
    expect(pair.clock.pending).toBe(0);
  });
});
