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

/** How many of so many attempts are let in and stay. */
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
  // A burst at first; then as many as have been earned.
  test("lets so many in per second", async () => {
    await using pair = new StackPair();
    pair.server.use(7, rate({ perSecond: 10 }), echo());
    expect(await count(pair, 20)).toBe(10);
    await pair.clock.advance(500);
    expect(await count(pair, 20)).toBe(5);
    await pair.clock.advance(60_000);
    expect(await count(pair, 20)).toBe(10);
  });

  // SYNs whose sender is not there: nobody's tokens are gone.
  test("counts no attempts that come to nothing", async () => {
    await using pair = new StackPair();
    const deciding = { name: "deciding", onSyn: ignoresFirst(5) };
    pair.server.use(7, rate({ perAddress: 1 }), deciding, echo());
    for (let sent = 0; sent < 5; sent++) expect(await attempt(pair, "10.0.0.2:7")).toBe("silence");
    expect(await attempt(pair, "10.0.0.2:7")).toBe("open");
    expect(await attempt(pair, "10.0.0.2:7")).toBe("CONNECTION_REFUSED");
  });

  // One that has used up its own does not use up everybody's.
  test("measures each address before all together", async () => {
    await using pair = new StackPair();
    pair.client.addAddress("10.0.0.9/24");
    pair.server.use(7, rate({ perSecond: 7, perAddress: 2, burstPerAddress: 4 }), echo());
    expect(await count(pair, 20)).toBe(4);
    expect(await count(pair, 20, "10.0.0.9")).toBe(3);
    await pair.clock.advance(1000);
    expect(await count(pair, 20)).toBe(2);
  });

  // Networks instead of addresses.
  test("takes the addresses of a network together", async () => {
    await using pair = new StackPair();
    pair.client.addAddress("10.0.0.9/24");
    pair.client.addAddress("fd00::9/64");
    pair.server.use(7, rate({ perAddress: 2, v4Prefix: 24 }), echo());
    expect([await count(pair, 2), await count(pair, 2, "10.0.0.9")]).toEqual([2, 0]);
    expect([await count(pair, 2, "fd00::1"), await count(pair, 2, "fd00::9")]).toEqual([2, 0]);
  });

  // Flows: their first datagrams.
  test("limits new flows", async () => {
    await using pair = new StackPair();
    pair.server.use("udp/7", rate({ perSecond: 2 }), echoFlow);
    const answers = [];
    for (let sent = 0; sent < 4; sent++) answers.push(await isAnswered(pair, "10.0.0.2:7"));
    expect(answers).toEqual([true, true, false, false]);
  });

  test("wants a rate", () => {
    expect(() => rate({})).toThrow(
      "rate: options: expected at least one of perSecond and perAddress",
    );
    expect(() => rate({ perSecond: 0 })).toThrow(/^rate: options\.perSecond: /);
  });
});

describe("TokenBuckets", () => {
  // A million addresses: as many are remembered as may be, the latest ones.
  test("remembers so many keys at most", () => {
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
