import { describe, expect, test } from "bun:test";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { chargen } from "../../../../plugins/chargen.ts";
import { discard } from "../../../../plugins/discard.ts";
import { echo } from "../../../../plugins/echo.ts";
import { allow } from "../../../../plugins/middleware/access.ts";
import { limit } from "../../../../plugins/middleware/limit.ts";
import { log } from "../../../../plugins/middleware/log.ts";
import { PORT, synPacket } from "../../../support/packets.ts";
import { SERVER, ThreeStacks } from "./three_stacks.ts";

/** Bytes that repeat only after 64 KiB, so that a shift is noticed. */
function pattern(length: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7) & 0xff;
  return bytes;
}

async function readAll(socket: TcpSocket): Promise<Uint8Array> {
  return new Uint8Array(await new Response(socket.readable).arrayBuffer());
}

const LOSSY = { loss: 0.02, reorder: 0.05, delayMs: 5 };

for (const profile of ["local", "internet"] as const) {
  describe(`connections that move, profile ${profile}`, () => {
    // A connection with data in both directions, over a path that loses and reorders, moves back and forth
    // between two stacks while the peer writes and reads. The packets reach the first stack all the time.
    test("freeze and thaw lose no byte of an echo", async () => {
      await using net = new ThreeStacks({ profile }, LOSSY);
      for (const server of net.servers) server.use(7, echo());
      const client = net.client.connect(`${SERVER}:7`, { allowHalfOpen: true });
      await net.run(client.opened);
      const sent = pattern(2_000_000);
      const wrote = client.write(sent).then(() => client.closeWrite());
      const answer = readAll(client);
      let at: 0 | 1 = 0;
      let moves = 0;
      for (let i = 0; i < 8; i++) {
        await net.clock.advance(40);
        if (net.servers[at].connections().length === 0) break;
        await net.move(at, i % 3 * 4);
        at = at === 0 ? 1 : 0;
        moves++;
        net.route(at);
      }
      expect(moves).toBeGreaterThan(3);
      expect(await net.run(answer)).toEqual(sent);
      await net.run(wrote);
    });

    // A peer that does not read: bytes wait in the send buffer and in a pending write, unread bytes
    // in the receive buffer, and the echo has sent a part of what counts as unread.
    test("freeze moves pending writes and unread bytes", async () => {
      await using net = new ThreeStacks({ profile, receiveBuffer: 65_536, sendBuffer: 65_536 });
      for (const server of net.servers) server.use(7, echo());
      const client = net.client.connect(`${SERVER}:7`, { allowHalfOpen: true });
      await net.run(client.opened);
      const sent = pattern(600_000);
      const wrote = client.write(sent).then(() => client.closeWrite());
      await net.clock.advance(3000);
      await net.move(0, 2);
      await net.clock.advance(3000);
      expect(await net.run(readAll(client))).toEqual(sent);
      await net.run(wrote);
    });

    // The limit of chargen counts what the other stack has sent already.
    test("chargen and discard continue where they were", async () => {
      await using net = new ThreeStacks({ profile });
      for (const server of net.servers) {
        server.use(19, chargen({ limit: 3_000_000 }));
        server.use(9, discard());
      }
      const reader = net.client.connect(`${SERVER}:19`, { allowHalfOpen: true });
      await net.run(reader.opened);
      await net.clock.advance(10);
      await net.move(0);
      const all = await net.run(readAll(reader));
      expect(all.length).toBe(3_000_000);
      const line = new TextDecoder().decode(all.subarray(0, 74 * 95));
      let isRight = true;
      for (let at = 0; at < all.length; at += 7030) {
        const piece = new TextDecoder().decode(all.subarray(at, at + 7030));
        isRight &&= line.startsWith(piece);
      }
      expect(isRight).toBe(true);
      await net.run(reader.close());

      net.route(0);
      const writer = net.client.connect(`${SERVER}:9`, { allowHalfOpen: true });
      await net.run(writer.opened);
      await net.run(writer.write(pattern(100_000)));
      await net.move(0);
      await net.run(writer.write(pattern(100_000)));
      await net.run(writer.closeWrite());
      expect(await net.run(writer.read(new Uint8Array(1)))).toBe(null);
    });

    // The peer's FIN is in the record, and so is our own: the other stack ends the connection.
    test("a connection moves after either side has closed", async () => {
      await using net = new ThreeStacks({ profile });
      const listener = net.servers[0].listen({ port: 80 });
      for (const first of ["client", "server"] as const) {
        net.route(0);
        const client = net.client.connect(`${SERVER}:80`, { allowHalfOpen: true });
        const accepted = await net.run(listener.accept());
        await net.run(client.opened);
        if (first === "client") await net.run(client.closeWrite());
        else await net.run(accepted.closeWrite());
        await net.clock.advance(50);
        expect(accepted.state).toBe(first === "client" ? "CLOSE-WAIT" : "FIN-WAIT-2");
        const frozen = await net.run(net.servers[0].freeze(accepted));
        const moved = net.servers[1].thaw(frozen.record);
        frozen.redirect((packet, segmentSize) => net.servers[1].receive(packet, { segmentSize }));
        net.route(1);
        if (first === "client") {
          await net.run(moved.write(pattern(1000)));
          expect(await net.run(moved.read(new Uint8Array(1)))).toBe(null);
          await net.run(moved.closeWrite());
          expect((await net.run(readAll(client))).length).toBe(1000);
        } else {
          expect(await net.run(client.read(new Uint8Array(1)))).toBe(null);
          await net.run(client.write(pattern(1000)));
          await net.run(client.closeWrite());
          expect((await net.run(readAll(moved))).length).toBe(1000);
        }
        await net.run(Promise.all([client.close(), moved.close()]));
        frozen.release();
      }
      listener.close();
    });
  });
}

describe("freeze", () => {
  // The owner of the old socket gets the reason why it ended, and its handler is not reported as failed.
  test("ends the socket with CONNECTION_MOVED", async () => {
    await using net = new ThreeStacks();
    const listener = net.servers[0].listen({ port: 80 });
    const client = net.client.connect(`${SERVER}:80`);
    const accepted = await net.run(listener.accept());
    await net.run(client.write(pattern(10)));
    await net.clock.advance(10);
    const reading = accepted.read(new Uint8Array(20)).then(() => accepted.read(new Uint8Array(20)));
    const outcome = reading.catch(({ code }) => code);
    await net.run(net.servers[0].freeze(accepted));
    expect(await net.run(outcome)).toBe("CONNECTION_MOVED");
    expect(await net.run(accepted.write(pattern(1)).catch(({ code }) => code)))
      .toBe("CONNECTION_MOVED");
    expect(net.servers[0].stats()["connectionsFrozen"]).toBe(1);
    expect(net.servers[0].connections()).toEqual([]);
  });

  // The receiving stack failed: the connection continues where it was, with the packets held meanwhile.
  test("can be taken back by resume", async () => {
    await using net = new ThreeStacks({ profile: "internet" });
    net.servers[0].use(7, echo());
    const client = net.client.connect(`${SERVER}:7`);
    await net.run(client.opened);
    const [connection] = net.servers[0].connections();
    const frozen = await net.run(net.servers[0].freeze(connection!));
    expect(frozen.plugin).toBe("echo");
    expect(frozen.remoteAddr.hostname).toBe("10.0.0.1");
    await net.run(client.write(pattern(5)));
    await net.clock.advance(150);
    expect(net.servers[0].stats()["redirected"]).toBe(1);
    frozen.resume();
    const target = new Uint8Array(9);
    const before = net.clock.now();
    expect(await net.run(client.read(target))).toBe(5);
    // The segment that was held is processed at once, without a retransmission.
    expect(net.clock.now() - before).toBeLessThan(20);
  });

  // After release() the 4-tuple is unknown, as any other.
  test("forgets the connection after release", async () => {
    await using net = new ThreeStacks();
    net.servers[0].use(7, echo());
    const client = net.client.connect(`${SERVER}:7`);
    await net.run(client.opened);
    const [connection] = net.servers[0].connections();
    const frozen = await net.run(net.servers[0].freeze(connection!));
    frozen.release();
    await net.run(client.write(pattern(5)));
    expect(await net.run(client.closed.catch(({ code }) => code))).toBe("CONNECTION_RESET");
  });

  // A peer that goes on sending must not fill the memory of a stack whose connection is frozen.
  test("holds a bounded number of packets", async () => {
    await using net = new ThreeStacks({ profile: "internet", receiveBuffer: 4_000_000 });
    const listener = net.servers[0].listen({ port: 80 });
    const client = net.client.connect(`${SERVER}:80`);
    const accepted = await net.run(listener.accept());
    const first = await net.run(net.servers[0].freeze(accepted));
    let packet = new Uint8Array(0);
    first.redirect((each) => packet = each);
    await net.run(client.write(pattern(1000)));
    await net.clock.advance(1);
    const frozen = await net.run(net.servers[0].freeze(first.resume()));
    for (let i = 0; i < 1000; i++) net.servers[0].receive(packet);
    await net.clock.advance(1);
    let held = 0;
    frozen.redirect((each) => held += each.length);
    expect(held).toBeGreaterThan(200_000);
    expect(held).toBeLessThanOrEqual(256 * 1024);
    expect(net.servers[0].stats()["drop.tcp-frozen"]).toBeGreaterThan(700);
  });

  // What cannot move stays, and the message says why.
  test("refuses what does not take part, and says why", async () => {
    await using net = new ThreeStacks();
    net.servers[0].use(80, async ({ socket }) => {
      for await (const _ of socket);
    });
    const busy = { name: "busy", handle: async () => {}, freeze: () => undefined, thaw: () => {} };
    net.servers[0].use(81, { ...busy, handle: ({ socket }) => socket.closed.then(() => {}) });
    for (
      const [port, why] of [[80, "handler does not take part in moves"], [
        81,
        "busy is busy",
      ]] as const
    ) {
      const client = net.client.connect(`${SERVER}:${port}`);
      await net.run(client.opened);
      await net.clock.advance(10);
      const [connection] = net.servers[0].connections();
      const refused = net.servers[0].freeze(connection!).catch((error) => error);
      const error = await net.run(refused);
      expect(error.code).toBe("NOT_MOVABLE");
      expect(error.message).toContain(why);
      client.abort();
      await net.clock.advance(50);
    }
    const opening = net.client.connect("10.0.0.9:1");
    const error = await net.run(net.client.freeze(opening).catch((error) => error));
    expect(error.message).toContain("it is in SYN-SENT");
    opening.abort();
  });
});

describe("thaw", () => {
  /** A frozen echo connection whose packets are held by the first server. */
  async function frozenEcho(net: ThreeStacks): Promise<Uint8Array<ArrayBuffer>> {
    net.servers[0].use(7, echo());
    const client = net.client.connect(`${SERVER}:7`);
    await net.run(client.opened);
    await net.run(client.write(pattern(100)));
    await net.clock.advance(10);
    const [connection] = net.servers[0].connections();
    return (await net.run(net.servers[0].freeze(connection!))).record;
  }

  const thawing = (net: ThreeStacks, record: Uint8Array): { code: string; message: string } => {
    try {
      net.servers[1].thaw(record);
    } catch (error) {
      return error as never;
    }
    return { code: "thawed", message: "" };
  };

  // The receiving side must be set up like the sending one.
  test("says what the receiving stack lacks", async () => {
    await using net = new ThreeStacks();
    const record = await frozenEcho(net);
    expect(thawing(net, record).message).toContain("its port 7 is not served by echo here");
    net.servers[1].use(7, echo());
    net.servers[1].removeAddress(SERVER);
    expect(thawing(net, record).code).toBe("ADDRESS_NOT_AVAILABLE");
    net.servers[1].addAddress(`${SERVER}/24`);
    expect(thawing(net, record).code).toBe("thawed");
    expect(thawing(net, record).code).toBe("ADDRESS_IN_USE");
  });

  // A retransmitted SYN has reached the receiving stack too, as when a router sends it to another instance. The client
  // has the connection of the first stack, and answers the other SYN,ACK with a challenge ACK (RFC 5961 4.2).
  test("replaces a half-open connection", async () => {
    await using net = new ThreeStacks();
    for (const server of net.servers) server.use(PORT, echo());
    const client = net.client.connect(`${SERVER}:${PORT}`, {
      localPort: PORT,
      allowHalfOpen: true,
    });
    await net.run(client.write(pattern(100)));
    await net.clock.advance(10);
    net.servers[1].receive(synPacket({ from: "10.0.0.1", to: SERVER }));
    await net.clock.advance(10);
    await net.move(0);
    net.route(1);
    await net.run(client.write(pattern(100)));
    await net.run(client.closeWrite());
    expect(await net.run(readAll(client))).toEqual(
      Uint8Array.from([...pattern(100), ...pattern(100)]),
    );
  });

  // The bytes are a record of another release, or no record at all.
  test("refuses another version and other bytes", async () => {
    await using net = new ThreeStacks();
    const record = await frozenEcho(net);
    net.servers[1].use(7, echo());
    const newer = record.slice();
    newer[7] = 99;
    expect(thawing(net, newer).message).toContain(
      "its format has version 99, this stack reads version 1: use the same release on both sides",
    );
    expect(thawing(net, new Uint8Array(8)).message).toContain("it is not a frozen connection");
    expect(thawing(net, new Uint8Array(3)).message).toContain("it is too short");
    expect(thawing(net, record.subarray(0, -1)).code).toBe("INVALID_RECORD");
    const longer = new Uint8Array(record.length + 1);
    longer.set(record);
    expect(thawing(net, longer).message).toContain("bytes follow its last field");
    expect(() => net.servers[1].thaw("text" as never)).toThrow("expected a Uint8Array");
  });
});

describe("chains that move", () => {
  // Middleware that decides and counts, in front of a plugin, in both stacks.
  test("continue with middleware in front", async () => {
    await using net = new ThreeStacks();
    for (const server of net.servers) {
      server.use(7, allow({ from: ["10.0.0.0/8"] }), limit({ connections: 1 }), log(), echo());
    }
    const client = net.client.connect(`${SERVER}:7`, { allowHalfOpen: true });
    await net.run(client.write(pattern(10)));
    await net.clock.advance(10);
    await net.move(0);
    net.route(1);
    await net.run(client.write(pattern(10)));
    await net.clock.advance(10);
    // The connection counts in the stack that has it, and no longer in the other one.
    const second = net.client.connect(`${SERVER}:7`);
    expect(await net.run(second.opened.catch(({ code }) => code))).toBe("CONNECTION_REFUSED");
    net.route(0);
    const third = net.client.connect(`${SERVER}:7`);
    await net.run(third.opened);
    await net.run(client.closeWrite());
    net.route(1);
    expect((await net.run(readAll(client))).length).toBe(20);
    third.abort();
  });

  // The connection has begun with other plugins than it would continue with.
  test("are not thawed by another chain", async () => {
    await using net = new ThreeStacks();
    net.servers[0].use(7, log(), echo());
    net.servers[1].use(7, echo());
    const client = net.client.connect(`${SERVER}:7`);
    await net.run(client.write(pattern(10)));
    await net.clock.advance(10);
    const [connection] = net.servers[0].connections();
    const frozen = await net.run(net.servers[0].freeze(connection!));
    expect(() => net.servers[1].thaw(frozen.record)).toThrow("is not served by log, echo here");
    frozen.resume();
    client.abort();
  });
});
