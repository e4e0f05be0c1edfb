import { Buffer } from "node:buffer";
import { readdirSync } from "node:fs";
import type { Socket } from "node:net";
import { describe, expect } from "bun:test";
import { attachmentsOf } from "../../../../adapters/service/moves/attachments.ts";
import type { TcpSocket } from "../../../../core/api/types.ts";
import { SERVER } from "../../../core/api/moves/three_stacks.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { ForwardingStacks, PORT } from "./forwarded_connections.ts";

const LOSSY = { loss: 0.02, reorder: 0.05, delayMs: 3 };

/** Bytes that repeat only after 64 KiB, so that a shift is noticed. */
function pattern(length: number, salt: number): Uint8Array<ArrayBuffer> {
  const bytes = new Uint8Array(length);
  for (let i = 0; i < length; i++) bytes[i] = (i * 31 + (i >>> 8) * 7 + salt) & 0xff;
  return bytes;
}

async function readAll(socket: TcpSocket): Promise<Uint8Array> {
  return new Uint8Array(await new Response(socket.readable).arrayBuffer());
}

/** Everything that a server of the host receives. */
function received(socket: Socket): Promise<Uint8Array> {
  const chunks: Uint8Array[] = [];
  return new Promise((resolve, reject) => {
    socket.on("data", (chunk) => chunks.push(chunk as never));
    socket.on("end", () => resolve(new Uint8Array(Buffer.concat(chunks))));
    socket.on("error", reject);
    socket.resume();
  });
}

/** Compares without looking at each byte on its own, which takes seconds for megabytes. */
function expectSame(actual: Uint8Array, expected: Uint8Array): void {
  expect(actual.length).toBe(expected.length);
  expect(Buffer.compare(actual, expected)).toBe(0);
}

async function connect(stacks: ForwardingStacks): Promise<{ client: TcpSocket; host: Socket }> {
  const accepted = stacks.accepts();
  const client = stacks.net.client.connect(`${SERVER}:${PORT}`, { allowHalfOpen: true });
  await stacks.until(client.opened);
  return { client, host: await stacks.until(accepted) };
}

function openDescriptors(): number {
  return readdirSync("/proc/self/fd").length;
}

for (const profile of ["local", "internet"] as const) {
  describe(`forwarded connections that move, profile ${profile}`, () => {
    // 3 MB in each direction over a path that loses and reorders, while the connection and its socket of the
    // host move back and forth. Each byte arrives once, in order, and both ends close.
    testRequiring(["native-sockets"], "lose no byte in either direction", async () => {
      await using stacks = await ForwardingStacks.open({ profile }, LOSSY);
      const { client, host } = await connect(stacks);
      const [up, down] = [pattern(3_000_000, 1), pattern(3_000_000, 2)];
      const arrived = received(host);
      host.end(down);
      const answer = readAll(client);
      const wrote = client.write(up).then(() => client.closeWrite());
      let at: 0 | 1 = 0;
      let moves = 0;
      for (let i = 0; i < 10; i++) {
        await stacks.advance(profile === "local" ? 4 : 25);
        if (stacks.net.servers[at].connections().length === 0) break;
        await stacks.move(at, i % 3 * 3);
        at = at === 0 ? 1 : 0;
        moves++;
      }
      expect(moves).toBeGreaterThan(3);
      expectSame(await stacks.until(answer), down);
      expectSame(await stacks.until(arrived), up);
      await stacks.until(wrote);
    });

    // Neither end reads: bytes wait in every buffer, a write to the host's socket is half done, and so is one
    // to the client.
    testRequiring(["native-sockets"], "continue in the middle of writes", async () => {
      await using stacks = await ForwardingStacks.open({ profile });
      const { client, host } = await connect(stacks);
      const [up, down] = [pattern(8_000_000, 3), pattern(8_000_000, 4)];
      const wrote = client.write(up).then(() => client.closeWrite());
      host.end(down);
      await stacks.advance(300);
      await stacks.move(0, 2);
      await stacks.advance(50);
      await stacks.move(1);
      const arrived = received(host);
      await stacks.advance(5);
      await stacks.move(0);
      const answer = readAll(client);
      expectSame(await stacks.until(arrived), up);
      expectSame(await stacks.until(answer), down);
      await stacks.until(wrote);
    });

    // One direction has ended before the move; the FIN of either side is neither lost nor sent twice.
    for (const first of ["client", "host"] as const) {
      testRequiring(["native-sockets"], `move half-closed by the ${first}`, async () => {
        await using stacks = await ForwardingStacks.open({ profile });
        const { client, host } = await connect(stacks);
        const [up, down] = [pattern(1000, 5), pattern(2000, 6)];
        const [arrived, answer] = [received(host), readAll(client)];
        const send = {
          client: () => client.write(up).then(() => client.closeWrite()),
          host: () => Promise.resolve(void host.end(down)),
        };
        await stacks.until(send[first]());
        await stacks.until<unknown>(first === "client" ? arrived : answer);
        await stacks.move(0);
        await stacks.advance(5);
        await stacks.until(send[first === "client" ? "host" : "client"]());
        expectSame(await stacks.until(arrived), up);
        expectSame(await stacks.until(answer), down);
      });
    }
  });
}

describe("a forwarded connection", () => {
  // The server of the host resets the connection during the move: the new owner notices it, and resets the client.
  testRequiring(["native-sockets"], "passes on a reset that arrives during the move", async () => {
    await using stacks = await ForwardingStacks.open({});
    const { client, host } = await connect(stacks);
    const frozen = await stacks.freeze(0);
    const attachments = attachmentsOf(stacks.sockets, stacks.pass(frozen));
    host.resetAndDestroy();
    await stacks.advance(5);
    stacks.net.servers[1].thaw(frozen.record, { attachments });
    frozen.redirect((packet) => stacks.net.servers[1].receive(packet));
    stacks.net.route(1);
    expect(await stacks.until(client.closed.catch(({ code }) => code))).toBe("CONNECTION_RESET");
  });

  // The same for an orderly end, with bytes before it.
  testRequiring(["native-sockets"], "passes on an end that arrives during the move", async () => {
    await using stacks = await ForwardingStacks.open({});
    const { client, host } = await connect(stacks);
    const frozen = await stacks.freeze(0);
    const attachments = attachmentsOf(stacks.sockets, stacks.pass(frozen));
    host.end(pattern(1000, 1));
    await stacks.advance(5);
    stacks.net.servers[1].thaw(frozen.record, { attachments });
    frozen.redirect((packet) => stacks.net.servers[1].receive(packet));
    stacks.net.route(1);
    expect(await stacks.until(readAll(client))).toEqual(pattern(1000, 1));
  });

  // If the receiver does not take the connection, both directions continue where they were, with the old descriptor.
  testRequiring(["native-sockets"], "continues after resume", async () => {
    await using stacks = await ForwardingStacks.open({ receiveBuffer: 65_536 });
    const { client, host } = await connect(stacks);
    const up = pattern(2_000_000, 7);
    const wrote = client.write(up).then(() => client.closeWrite());
    await stacks.advance(100);
    for (let i = 0; i < 3; i++) {
      const frozen = await stacks.freeze(0);
      frozen.resume();
      await stacks.advance(3);
    }
    const [arrived, answer] = [received(host), readAll(client)];
    host.end(pattern(10, 1));
    expectSame(await stacks.until(arrived), up);
    expectSame(await stacks.until(answer), pattern(10, 1));
    await stacks.until(wrote);
  });

  // After ten moves there are as many descriptors as after two.
  testRequiring(["native-sockets"], "leaks no descriptor", async () => {
    await using stacks = await ForwardingStacks.open({});
    await connect(stacks);
    const counts: number[] = [];
    for (let i = 0; i < 10; i++) {
      await stacks.move(i % 2 === 0 ? 0 : 1);
      await stacks.advance(2);
      counts.push(openDescriptors());
    }
    expect(counts.at(-1)).toBe(counts[1]!);
  });

  // The connection counts in the stack that has it, even beyond the limit; a new connection is refused there.
  testRequiring(["native-sockets"], "counts towards the limit of its target", async () => {
    await using stacks = await ForwardingStacks.open({}, undefined, { maxConnections: 1 });
    const openAt = (index: 0 | 1) =>
      stacks.net.servers[index].metrics().find(({ name }) => name === "berth.upstream.open")!
        .points[0]!.value;
    const { client, host } = await connect(stacks);
    expect([openAt(0), openAt(1)]).toEqual([1, 0]);
    await stacks.move(0);
    expect([openAt(0), openAt(1)]).toEqual([0, 1]);
    const second = stacks.net.client.connect(`${SERVER}:${PORT}`);
    expect(await stacks.until(second.opened.catch(({ code }) => code))).toBe("CONNECTION_REFUSED");
    await stacks.move(1);
    expect([openAt(0), openAt(1)]).toEqual([1, 0]);
    const ended = received(host);
    host.end();
    await stacks.until(client.close());
    await stacks.until(ended);
    await stacks.advance(5);
    expect([openAt(0), openAt(1)]).toEqual([0, 0]);
  });

  // A channel that cannot pass descriptors, such as one to another machine.
  testRequiring(["native-sockets"], "stays where descriptors cannot be passed", async () => {
    await using stacks = await ForwardingStacks.open({});
    await connect(stacks);
    const [server] = stacks.net.servers;
    const moving = server.freeze(server.connections()[0]!);
    await expect(stacks.until(moving)).rejects.toThrow(
      "forward has a socket of the host that cannot be passed on",
    );
    expect(server.connections().length).toBe(1);
  });
});
