import { describe, expect, test } from "bun:test";
import {
  bindDatagrams,
  bindRuntimeDatagrams,
  type BoundDatagrams,
  datagramBuffers,
} from "../../../adapters/host/bound_datagrams.ts";
import { formatHostPort, type HostPort } from "../../../core/api/host_port.ts";
import { until } from "../../support/until.ts";

const WAYS = [["foreign functions", bindDatagrams], ["node:dgram", bindRuntimeDatagrams]] as const;
const HOSTS = [["127.0.0.1"], ["::1"]] as const;
const CASES = WAYS.flatMap(([name, bind]) => HOSTS.map(([host]) => [name, host, bind] as const));

const IDLE = { onReadable: () => {} };
const SMALL = datagramBuffers(1, 10);

type Bind = typeof bindDatagrams;

/** Waits for a datagram and returns it. */
async function next(socket: BoundDatagrams): Promise<Uint8Array> {
  const batch = datagramBuffers(1, 65_536);
  await until(() => socket.receive(batch) > 0);
  return batch.buffers[0]!.slice(0, batch.sizes[0]);
}

describe("bindDatagrams", () => {
  // To any address, from any address, up to the largest datagram.
  test.each(CASES)(
    "sends and receives by %s on %s",
    async (_: string, hostname: string, bind: Bind) => {
      let woken = 0;
      const one = await bind({ hostname, port: 0 }, IDLE);
      const other = await bind({ hostname, port: 0 }, { onReadable: () => void woken++ });
      try {
        expect(other.address.port).toBeGreaterThan(0);
        for (const size of [0, 1, 1500, 60_000]) {
          const datagram = new Uint8Array(size).fill(size & 255);
          expect(one.send(datagram, other.address)).toBe(true);
          expect(await next(other)).toEqual(datagram);
        }
        // A datagram that is read at once may wake no reader.
        expect(other.receive(SMALL)).toBe(0);
        woken = 0;
        one.send(new Uint8Array(3), other.address);
        await until(() => woken > 0 && other.isReadable);
        expect((await next(other)).length).toBe(3);
        expect(other.receive(SMALL)).toBe(0);
      } finally {
        one.close();
        other.close();
      }
    },
  );

  // Receives as many datagrams at a time as there are buffers; those that are too long are truncated.
  test.each(WAYS)("receives several at a time by %s", async (_: string, bind: Bind) => {
    const one = await bind({ hostname: "127.0.0.1", port: 0 }, IDLE);
    for (let size = 1; size <= 7; size++) {
      expect(one.send(new Uint8Array(2 * size).fill(size), one.address)).toBe(true);
    }
    const [batch, got] = [datagramBuffers(4, 10), [] as number[][]];
    await until(() => {
      const count = one.receive(batch);
      expect(count).toBeLessThanOrEqual(4);
      for (let i = 0; i < count; i++) got.push([...batch.buffers[i]!.subarray(0, batch.sizes[i])]);
      return got.length === 7;
    });
    expect(got.sort(([a], [b]) => a! - b!)).toEqual(
      [1, 2, 3, 4, 5, 6, 7].map((size) => new Array(Math.min(2 * size, 10)).fill(size)),
    );
    one.close();
  });

  // The socket survives a datagram without a receiver, and calls after it was closed.
  test.each(CASES)(
    "survives errors by %s on %s",
    async (_: string, hostname: string, bind: Bind) => {
      const one = await bind({ hostname, port: 0 }, IDLE);
      const gone = await bind({ hostname, port: 0 }, IDLE);
      gone.close();
      one.send(new Uint8Array(10), gone.address);
      one.send(new Uint8Array(10), gone.address);
      expect(one.send(new Uint8Array(10), one.address)).toBe(true);
      expect((await next(one)).length).toBe(10);
      one.close();
      one.close();
      expect(one.send(new Uint8Array(10), gone.address)).toBe(false);
      expect(one.receive(SMALL)).toBe(0);
    },
  );

  // A process that has ended is distinguished from a busy one, because no socket has its port any more. Datagrams to
  // other ports, and those that have arrived, are not affected.
  test.each(HOSTS)("reports who refuses datagrams, on %s", async (hostname: string) => {
    const refused = new Map<string, number>();
    const hooks = {
      onReadable: () => {},
      onRefused: (to: HostPort) => {
        refused.set(formatHostPort(to), (refused.get(formatHostPort(to)) ?? 0) + 1);
      },
    };
    const one = await bindDatagrams({ hostname, port: 0 }, hooks);
    const [busy, gone] = [
      await bindDatagrams({ hostname, port: 0 }, IDLE),
      await bindDatagrams({ hostname, port: 0 }, IDLE),
    ];
    gone.close();
    for (let i = 1; i <= 200; i++) {
      expect(one.send(new Uint8Array(10), gone.address)).toBe(true);
      expect(one.send(new Uint8Array(i), busy.address)).toBe(true);
      expect(one.send(new Uint8Array(i), one.address)).toBe(true);
    }
    for (let i = 1; i <= 200; i++) {
      expect((await next(busy)).length).toBe(i);
      expect((await next(one)).length).toBe(i);
    }
    await until(() => refused.size > 0);
    expect([...refused.keys()]).toEqual([formatHostPort(gone.address)]);
    one.close();
    busy.close();
  });

  // The error says why.
  test.each(WAYS)("rejects for a port that is in use, by %s", async (_: string, bind: Bind) => {
    const one = await bindDatagrams({ hostname: "127.0.0.1", port: 0 }, IDLE);
    const other = (async () => await bind(one.address, IDLE))();
    await expect(other).rejects.toThrow(/EADDRINUSE|address already in use/i);
    one.close();
  });
});
