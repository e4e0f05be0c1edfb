import { describe, expect, test } from "bun:test";
import { linkPair } from "../../../../adapters/links/memory.ts";
import { VirtualClock } from "../../../../adapters/runtime/virtual_clock.ts";
import { createStack } from "../../../../core/api/stack.ts";
import { HalfOpenSources } from "../../../../core/stack/tcp/half_open.ts";
import type { Tcb } from "../../../../core/tcp/tcb.ts";
import { IpAddress } from "../../../../core/wire/address.ts";
import { echo } from "../../../../plugins/echo.ts";
import { codeOf, StackPair } from "../../api/stack_pair.ts";

function attemptOf(remote: string): Tcb {
  return { remote: IpAddress.parse(remote)! } as Tcb;
}

describe("HalfOpenSources", () => {
  // A quarter of a large backlog, the whole of a small one.
  test("limits one source to a share of the backlog", () => {
    expect([1, 16, 64, 128, 511, 4096].map((backlog) => new HalfOpenSources(backlog).limit))
      .toEqual([1, 16, 64, 64, 127, 1024]);
  });

  // A source is one IPv4 address, or an IPv6 /64.
  test("groups IPv6 addresses by /64", () => {
    const sources = new HalfOpenSources(4);
    for (const each of ["10.0.0.1", "10.0.0.2", "fd00::1", "fd00::2", "fd00:0:0:1::1"]) {
      sources.add(attemptOf(each));
    }
    expect(sources.count).toBe(4);
    expect(sources.oldestBeyondLimit(IpAddress.parse("fd00::77")!)).toBe(undefined);
    for (let i = 0; i < 2; i++) sources.add(attemptOf("fd00::3"));
    expect(sources.oldestBeyondLimit(IpAddress.parse("fd00::77")!)?.remote.toString()).toBe(
      "fd00::1",
    );
    expect(sources.oldestBeyondLimit(IpAddress.parse("fd00:0:0:1::1")!)).toBe(undefined);
  });

  // Compared with a model that searches all attempts.
  test("finds the oldest attempt of the source with the most", () => {
    const sources = new HalfOpenSources(64);
    const model: Tcb[] = [];
    let seed = 1;
    const random = (n: number) => (seed = (seed * 48_271) % 0x7fffffff) % n;
    for (let step = 0; step < 900; step++) {
      const shrinks = step > 600 ? 4 : 1;
      if (model.length > 0 && random(5) < shrinks) {
        sources.delete(model.splice(random(model.length), 1)[0]!);
      } else {
        const attempt = attemptOf(`10.0.0.${random(3)}`);
        model.push(attempt);
        sources.add(attempt);
      }
      const count = (one: Tcb) => model.filter(({ remote }) => remote.w3 === one.remote.w3).length;
      const most = Math.max(...[0, 1, 2].map((last) => count(attemptOf(`10.0.0.${last}`))));
      const found = sources.oldestOfLargest();
      if (most <= 64) {
        if (found !== undefined) throw new Error(`${most} are few`);
        continue;
      }
      if (found === undefined) throw new Error(`nobody of ${most}`);
      const first = model.find(({ remote }) => remote.equals(found.remote));
      if (count(found) !== most || first !== found) throw new Error(`wrong at step ${step}`);
    }
    for (const attempt of model) sources.delete(attempt);
    expect([sources.count, sources.oldestOfLargest()]).toEqual([0, undefined]);
  });
});

describe("attempts to silent hosts", () => {
  // One client sends more SYNs to silent hosts than its limit. The next SYN, from it or another
  // client, is answered at once; the client's oldest attempts were evicted.
  test("do not delay other attempts", async () => {
    const clock = new VirtualClock();
    const [left, right] = linkPair({ queue: 20_000 });
    const client = createStack({ clock, link: left, addresses: ["10.0.0.1/24", "10.0.0.3/24"] });
    const server = createStack({ clock, link: right, addresses: ["10.0.0.2/24"] });
    let waiting = 0;
    let most = 0;
    server.use("*", {
      name: "out",
      async onSyn({ local, signal }) {
        if (local.port === 7) return undefined;
        most = Math.max(most, ++waiting);
        await new Promise<void>((resolve) => signal.addEventListener("abort", () => resolve()));
        waiting--;
        return "ignore";
      },
      handle: echo().handle!,
    });
    for (let i = 0; i < 1500; i++) client.connect(`10.0.0.2:${1000 + i}`).closed.catch(() => {});
    await clock.advance(10);
    expect(waiting).toBe(1024);
    for (const localHostname of ["10.0.0.1", "10.0.0.3"]) {
      const from = clock.now();
      await clock.runUntil(client.connect("10.0.0.2:7", { localHostname }).opened);
      expect(clock.now() - from).toBeLessThan(100);
    }
    // Retransmitted SYNs do not exceed the share either.
    await clock.advance(4000);
    // Some attempts of a batch were passed to the handler before they were evicted.
    expect(most).toBeLessThan(1024 + 512);
    const from = clock.now();
    await clock.runUntil(client.connect("10.0.0.2:7", { localHostname: "10.0.0.3" }).opened);
    expect(clock.now() - from).toBeLessThan(100);
    expect(server.stats().halfOpenEvicted).toBeGreaterThan(1500 - 1024);
    await clock.runUntil(Promise.all([client.close(), server.close()]));
    expect(waiting).toBe(0);
  });

  // The handler of an evicted attempt sees its signal aborted.
  test("abort their signals when they are evicted", async () => {
    await using pair = new StackPair();
    const aborted: number[] = [];
    const listener = pair.server.listen({
      port: "1-9",
      tcpBacklog: 2,
      onSyn: ({ local, signal }) =>
        new Promise((resolve) => {
          signal.addEventListener("abort", () => {
            aborted.push(local.port);
            resolve(true);
          });
        }),
    });
    for (const port of [1, 2, 3, 4]) {
      void codeOf(pair.client.connect(`10.0.0.2:${port}`).opened);
      await pair.clock.advance(1);
    }
    expect(aborted).toEqual([1, 2]);
    listener.close();
  });
});
