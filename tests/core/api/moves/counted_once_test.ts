import { describe, expect, test } from "bun:test";
import { totalsOf } from "../../../../core/api/metrics/histogram.ts";
import type { Stack, TcpSocket } from "../../../../core/api/types.ts";
import { echo } from "../../../../plugins/echo.ts";
import { SERVER, ThreeStacks } from "./three_stacks.ts";

/** Adds up a metric over stacks, as a service does over its processes. */
function sumOf(stacks: readonly Stack[], name: string): { count: number; sum: number } {
  const values = stacks.flatMap((stack) =>
    stack.metrics().filter((metric) => metric.name === name)
      .flatMap(({ points }) => points.map(({ value }) => value))
  );
  const totals = values.map((value) =>
    typeof value === "number" ? { count: value, sum: 0 } : totalsOf(value)
  );
  return {
    count: totals.reduce((all, { count }) => all + count, 0),
    sum: totals.reduce((all, { sum }) => all + sum, 0),
  };
}

async function exchange(net: ThreeStacks, client: TcpSocket): Promise<void> {
  await net.run(client.write(new Uint8Array(4)));
  await net.run(client.read(new Uint8Array(4)));
}

describe("a connection that moves", () => {
  // The connection moves to another stack and back, as in upgrades; the counters of all processes are added up.
  test.each(["another stack", "the plugins of a reload"])("is counted once: %s", async (where) => {
    await using net = new ThreeStacks();
    const bindings = net.servers.map((server) => server.use(7, echo()));
    const client = net.client.connect(`${SERVER}:7`, { allowHalfOpen: true });
    await exchange(net, client);
    await net.clock.advance(10_000);
    for (const from of [0, 1] as const) {
      if (where === "another stack") await net.move(from);
      else await net.run(bindings[0]!.replace(echo()).move());
      await exchange(net, client);
      expect(sumOf(net.servers, "berth.binding.connections").count).toBe(1);
      expect(sumOf(net.servers, "berth.binding.open").count).toBe(1);
      expect(sumOf(net.servers, "berth.tcp.passive_opens").count).toBe(1);
      expect(sumOf(net.servers, "berth.binding.handler.duration").count).toBe(0);
      expect(sumOf(net.servers, "berth.tcp.rtt").count).toBe(0);
    }
    await net.run(client.closeWrite());
    await net.run(client.read(new Uint8Array(4)));
    await net.run(client.closed);
    await net.clock.advance(1000);
    expect(sumOf(net.servers, "berth.binding.connections").count).toBe(1);
    expect(sumOf(net.servers, "berth.binding.open").count).toBe(0);
    // 12 bytes in each direction.
    expect(sumOf(net.servers, "berth.binding.io").count).toBe(24);
    const { count, sum } = sumOf(net.servers, "berth.binding.handler.duration");
    expect(count).toBe(1);
    expect(sum).toBeGreaterThanOrEqual(9);
    expect(sumOf(net.servers, "berth.tcp.rtt").count).toBe(1);
    expect(sumOf(net.servers, "berth.binding.handler.errors").count).toBe(0);
  });
});
