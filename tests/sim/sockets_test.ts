import { describe, expect, test } from "bun:test";
import { impair, type Impairments } from "../../adapters/links/decorators/impair.ts";
import { linkPair } from "../../adapters/links/memory.ts";
import { seededRandom } from "../../adapters/runtime/seeded_random.ts";
import { VirtualClock } from "../../adapters/runtime/virtual_clock.ts";
import type { TcpOptions } from "../../core/api/config.ts";
import { createStack } from "../../core/api/stack.ts";
import type { Stack, TcpSocket } from "../../core/api/types.ts";

const MIB = 1024 * 1024;

interface Pair {
  readonly clock: VirtualClock;
  readonly client: Stack;
  readonly server: Stack;
  close(): Promise<void>;
}

/** Two stacks in virtual time, on a link impaired in both directions. */
function stackPair(impairments: Impairments, tcp: TcpOptions, seed: number): Pair {
  const clock = new VirtualClock();
  const [left, right] = linkPair({ queue: 100_000 });
  const worse = { clock, queue: 100_000, ...impairments };
  const common = { clock, tcp };
  const client = createStack({
    ...common,
    link: impair(left, { ...worse, seed }),
    addresses: ["10.0.0.1/24"],
    random: seededRandom(seed),
  });
  const server = createStack({
    ...common,
    link: impair(right, { ...worse, seed: seed + 1000 }),
    addresses: ["10.0.0.2/24"],
    random: seededRandom(seed + 1),
  });
  const close = async () => {
    await Promise.all([client.close(), server.close()]);
  };
  return { clock, client, server, close };
}

/** Hexadecimal SHA-256. */
async function digestOf(bytes: Uint8Array<ArrayBuffer>): Promise<string> {
  return new Uint8Array(await crypto.subtle.digest("SHA-256", bytes)).toHex();
}

async function readAll(socket: TcpSocket, size: number): Promise<Uint8Array<ArrayBuffer>> {
  const all = new Uint8Array(size + 1);
  let end = 0;
  for await (const chunk of socket) {
    all.set(chunk, end);
    end += chunk.length;
  }
  return all.subarray(0, end);
}

async function writeAll(socket: TcpSocket, bytes: Uint8Array<ArrayBuffer>): Promise<void> {
  for (let at = 0; at < bytes.length; at += 100_003) {
    await socket.write(bytes.subarray(at, at + 100_003));
  }
  await socket.closeWrite();
}

/** Transfers in both directions; returns the received data and the virtual time taken. */
async function exchange(pair: Pair, bytes: readonly Uint8Array<ArrayBuffer>[]) {
  const { clock, client, server } = pair;
  const listener = server.listen({ port: 80 });
  const there = client.connect("10.0.0.2:80", { allowHalfOpen: true });
  const [up, down] = bytes as [Uint8Array<ArrayBuffer>, Uint8Array<ArrayBuffer>];
  const transfer = Promise.all([
    (async () => {
      const [got] = await Promise.all([readAll(there, down.length), writeAll(there, up)]);
      await there.close();
      return got;
    })(),
    (async () => {
      const here = await listener.accept();
      const [got] = await Promise.all([readAll(here, up.length), writeAll(here, down)]);
      await here.close();
      return got;
    })(),
  ]);
  const [gotDown, gotUp] = await clock.runUntil(transfer);
  return { gotUp, gotDown, tookMs: clock.now() };
}

describe("sockets over a link that loses, reorders and duplicates", () => {
  const bad = { loss: 0.03, reorder: 0.03, duplicate: 0.01, delayMs: 2, jitterMs: 0.5 };

  // Verified with the platform's SHA-256.
  test.each([["local"], ["internet"]] as const)(
    "carry 10 MiB each way at once with the right SHA-256, profile %s",
    async (profile) => {
      const bytes = [1, 2].map((seed) => {
        const data = new Uint8Array(10 * MIB);
        seededRandom(seed).fill(data);
        return data;
      });
      const pair = stackPair(bad, { profile }, 1);
      const { gotUp, gotDown } = await exchange(pair, bytes);
      expect(await digestOf(gotUp)).toBe(await digestOf(bytes[0]!));
      expect(await digestOf(gotDown)).toBe(await digestOf(bytes[1]!));
      await pair.clock.advance(120_000);
      expect(pair.client.stats()).toMatchObject({ connections: 0, timers: 0 });
      expect(pair.server.stats()).toMatchObject({ connections: 0, timers: 0 });
      await pair.close();
    },
    60_000,
  );

  // The same seed gives the same packets at the same times, so that failures can be reproduced.
  test("is reproducible with the same seed", async () => {
    const runOnce = async () => {
      const bytes = [1, 2].map((seed) => {
        const data = new Uint8Array(300_000);
        seededRandom(seed).fill(data);
        return data;
      });
      const pair = stackPair({ ...bad, loss: 0.1 }, {}, 3);
      const { tookMs } = await exchange(pair, bytes);
      const stats = [pair.client.stats(), pair.server.stats()];
      await pair.close();
      return { tookMs, stats };
    };
    expect(await runOnce()).toEqual(await runOnce());
  });
});
