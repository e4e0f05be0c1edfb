import { describe, expect, test } from "bun:test";
import { echo } from "../../../plugins/echo.ts";
import { rate } from "../../../plugins/middleware/rate.ts";
import { TokenBuckets } from "../../../plugins/shared/token_buckets.ts";
import { StackPair } from "../../core/api/stack_pair.ts";
import { attempt, echoFlow, isAnswered } from "./support.ts";

function ignoresFirst(count: number): () => "ignore" | undefined {
  let left = count;
  return () => left-- > 0 ? "ignore" : undefined;
}

/** Number of `count` attempts that are accepted and stay open. */
async function count(pair: StackPair, attempts: number, localHostname = "10.0.0.1") {
  const to = localHostname.includes(":") ? "[fd00::2]:7" : "10.0.0.2:7";
  const clients = Array.from(
    { length: attempts },
    () => pair.client.connect(to, { localHostname }),
  );
  await pair.run(Promise.allSettled(clients.map(({ opened }) => opened)));
  await pair.clock.advance(1);
  return clients.filter(({ state }) => state === "ESTABLISHED").length;
}

describe("rate", () => {
  // A burst at first, then the configured rate.
  test("limits connections per second", async () => {
    await using pair = new StackPair();
    pair.server.use(7, rate({ perSecond: 10 }), echo());
    expect(await count(pair, 20)).toBe(10);
    await pair.clock.advance(500);
    expect(await count(pair, 20)).toBe(5);
    await pair.clock.advance(60_000);
    expect(await count(pair, 20)).toBe(10);
  });

  // SYNs from spoofed senders take no tokens.
  test("does not count incomplete attempts", async () => {
    await using pair = new StackPair();
    const deciding = { name: "deciding", onSyn: ignoresFirst(5) };
    pair.server.use(7, rate({ perAddress: 1 }), deciding, echo());
    for (let sent = 0; sent < 5; sent++) expect(await attempt(pair, "10.0.0.2:7")).toBe("silence");
    expect(await attempt(pair, "10.0.0.2:7")).toBe("open");
    expect(await attempt(pair, "10.0.0.2:7")).toBe("CONNECTION_REFUSED");
  });

  // A client that has used up its own limit does not use up the total.
  test("applies the limit per address before the total", async () => {
    await using pair = new StackPair();
    pair.client.addAddress("10.0.0.9/24");
    pair.server.use(7, rate({ perSecond: 7, perAddress: 2, burstPerAddress: 4 }), echo());
    expect(await count(pair, 20)).toBe(4);
    expect(await count(pair, 20, "10.0.0.9")).toBe(3);
    await pair.clock.advance(1000);
    expect(await count(pair, 20)).toBe(2);
  });

  // Networks are limited instead of addresses.
  test("can group addresses by network", async () => {
    await using pair = new StackPair();
    pair.client.addAddress("10.0.0.9/24");
    pair.client.addAddress("fd00::9/64");
    pair.server.use(7, rate({ perAddress: 2, v4Prefix: 24 }), echo());
    expect([await count(pair, 2), await count(pair, 2, "10.0.0.9")]).toEqual([2, 0]);
    expect([await count(pair, 2, "fd00::1"), await count(pair, 2, "fd00::9")]).toEqual([2, 0]);
  });

  // The first datagram of each flow counts.
  test("limits new flows", async () => {
    await using pair = new StackPair();
    pair.server.use("udp/7", rate({ perSecond: 2 }), echoFlow);
    const answers = [];
    for (let sent = 0; sent < 4; sent++) answers.push(await isAnswered(pair, "10.0.0.2:7"));
    expect(answers).toEqual([true, true, false, false]);
  });

  test("requires a rate", () => {
    expect(() => rate({})).toThrow(
      "rate: options: expected at least one of perSecond and perAddress",
    );
    expect(() => rate({ perSecond: 0 })).toThrow(/^rate: options\.perSecond: /);
  });
});

describe("TokenBuckets", () => {
  // A million addresses: only the latest are remembered.
  test("bounds the number of keys", () => {
    const buckets = new TokenBuckets(1, 1, 1000);
    for (let key = 0; key < 1_000_000; key++) {
      if (!buckets.take(String(key), 0)) throw new Error("a new key has its own bucket");
    }
    expect(buckets.size).toBe(1000);
    expect(buckets.take("999999", 0)).toBe(false);
    expect(buckets.take("999000", 0)).toBe(false);
    expect(buckets.take("1", 0)).toBe(true);
  });
});
