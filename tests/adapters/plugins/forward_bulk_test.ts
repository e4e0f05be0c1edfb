import { afterEach, describe, expect, test } from "bun:test";
import { createServer } from "node:net";
import { HostConnection } from "../../../adapters/host/connection.ts";
import { linkPair } from "../../../adapters/links/memory.ts";
import { forward } from "../../../adapters/plugins/forward.ts";
import { createStack } from "../../../core/api/stack.ts";
import type { TcpSocket } from "../../../core/api/types.ts";
import type { Duplex } from "../../../plugins/shared/relay.ts";
import { Dice } from "../../fuzz/dice.ts";

const SIZE = 1 << 20;
const dice = new Dice(3);

const cleanups: (() => unknown)[] = [];
afterEach(async () => {
  for (const cleanup of cleanups.splice(0).reverse()) await cleanup();
});

/** A megabyte that differs for each `seed`. */
function stream(seed: number): Uint8Array<ArrayBuffer> {
  return Uint8Array.from({ length: SIZE }, (_, i) => i * (2 * seed + 1) + (i >>> 8) + (i >>> 16));
}

/** Sends everything in pieces of random sizes, then the FIN. */
async function send(connection: Duplex, bytes: Uint8Array): Promise<void> {
  for (let at = 0; at < bytes.length;) {
    const end = at + 1 + dice.below(dice.chance(0.2) ? 200_000 : 5000);
    at += await connection.write(bytes.subarray(at, end));
  }
  await connection.closeWrite();
}

/** Receives everything into arrays of random sizes; returns where it differs from `bytes`. */
async function check(connection: Duplex, bytes: Uint8Array): Promise<string> {
  for (let at = 0;;) {
    const chunk = new Uint8Array(1 + dice.below(dice.chance(0.2) ? 200_000 : 5000));
    const count = await connection.read(chunk);
    if (count === null) return at === bytes.length ? "complete" : `ends after ${at}`;
    for (let i = 0; i < count; i++) if (chunk[i] !== bytes[at + i]) return `differs at ${at + i}`;
    at += count;
  }
}

/** A stack that forwards to `serve` on the host, and one for its clients. */
async function forwarded(serve: (connection: Duplex, index: number) => void) {
  const server = createServer({ allowHalfOpen: true }, async (socket) => {
    const connection = new HostConnection(socket);
    const first = new Uint8Array(1);
    await connection.read(first);
    serve(connection, first[0]!);
  });
  await new Promise<void>((done) => server.listen({ host: "127.0.0.1", port: 0 }, done));
  cleanups.push(() => void server.close());
  const { port } = server.address() as { port: number };
  const [here, there] = linkPair();
  const stack = createStack({ link: here, addresses: ["10.7.0.2/24"] });
  const clients = createStack({ link: there, addresses: ["10.7.0.1/24"] });
  cleanups.push(() => stack.close(), () => clients.close());
  stack.use(80, forward({ to: `127.0.0.1:${port}` }));
  return async (index: number): Promise<TcpSocket> => {
    const socket = clients.connect("10.7.0.2:80", { allowHalfOpen: true });
    await socket.write(Uint8Array.of(index));
    return socket;
  };
}

describe("forwarded bulk", () => {
  for (const connections of [1, 16]) {
    // A megabyte from each client to the server.
    test(`${connections} at once: every byte arrives at the host in order`, async () => {
      const results: Promise<string>[] = [];
      const connect = await forwarded((connection, index) => {
        results.push(check(connection, stream(index)).finally(() => connection.closeWrite()));
      });
      await Promise.all(Array.from({ length: connections }, async (_, index) => {
        const socket = await connect(index);
        await send(socket, stream(index));
        expect(await socket.read(new Uint8Array(1))).toBeNull();
      }));
      expect(await Promise.all(results)).toEqual(Array(connections).fill("complete"));
    });

    // A megabyte from the server to each client.
    test(`${connections} at once: every byte arrives from the host in order`, async () => {
      const connect = await forwarded((connection, index) => void send(connection, stream(index)));
      const results = await Promise.all(Array.from({ length: connections }, async (_, index) => {
        const socket = await connect(index);
        const result = await check(socket, stream(index));
        await socket.closeWrite();
        return result;
      }));
      expect(results).toEqual(Array(connections).fill("complete"));
    });
  }
});
