import { describe, expect, test } from "bun:test";
import { MAX_BINDINGS } from "../../../../core/api/metrics/binding_counts.ts";
import { totalsOf } from "../../../../core/api/metrics/histogram.ts";
import type { HistogramValue, MetricAttributes } from "../../../../core/api/metrics/metric.ts";
import type { Plugin, Stack } from "../../../../core/api/types.ts";
import { echo } from "../../../../plugins/echo.ts";
import { bytes, codeOf, readText, StackPair } from "../stack_pair.ts";

/** The value of a point; of a histogram, the number of durations. */
function valueOf(stack: Stack, name: string, attributes: MetricAttributes = {}): number {
  const metric = stack.metrics().find((each) => each.name === name);
  const point = metric?.points.find((point) =>
    Object.entries(attributes).every(([key, value]) => point.attributes[key] === value)
  );
  if (point === undefined) return NaN;
  return typeof point.value === "number"
    ? point.value
    : totalsOf(point.value as HistogramValue).count;
}

const state = {
  name: "faulty.state",
  kind: "gauge",
  unit: "1",
  description: "A state.",
  points: [{ attributes: {}, value: 1 }],
};

const counting = (calls: { count: number }): Plugin => ({
  name: "counting",
  handle: async ({ socket }) => void await readText(socket),
  metrics: () => [
    {
      name: "calls",
      kind: "counter",
      unit: "1",
      description: "Calls.",
      points: [{ attributes: {}, value: calls.count }],
    },
    {
      name: "state",
      kind: "gauge",
      unit: "1",
      description: "A state.",
      points: [{ attributes: {}, value: 1 }],
    },
  ],
});

describe("stack.metrics()", () => {
  // The bytes of a connection count while it is open; at its end nothing is lost and nothing counted twice.
  test("counts connections and bytes of a listen address", async () => {
    await using pair = new StackPair();
    pair.server.use(7, echo());
    const at = { listen: "7", plugin: "echo" };
    const socket = pair.client.connect("10.0.0.2:7", { allowHalfOpen: true });
    await pair.run(socket.write(bytes("ahoy")));
    await pair.run(socket.read(new Uint8Array(4)));
    const received = { ...at, "network.io.direction": "receive" };
    const sent = { ...at, "network.io.direction": "transmit" };
    expect(valueOf(pair.server, "berth.binding.connections", at)).toBe(1);
    expect(valueOf(pair.server, "berth.binding.open", at)).toBe(1);
    expect(valueOf(pair.server, "berth.binding.io", received)).toBe(4);
    expect(valueOf(pair.server, "berth.tcp.connections", { state: "ESTABLISHED" })).toBe(1);
    expect(valueOf(pair.server, "berth.tcp.curr_estab")).toBe(1);
    const segments = valueOf(pair.server, "berth.tcp.in_segs");
    expect(segments).toBeGreaterThan(1);
    await pair.run(socket.closeWrite());
    await pair.run(readText(socket));
    await pair.run(socket.closed);
    await pair.clock.advance(1000);
    expect(valueOf(pair.server, "berth.binding.connections", at)).toBe(1);
    expect(valueOf(pair.server, "berth.binding.open", at)).toBe(0);
    expect(valueOf(pair.server, "berth.binding.io", received)).toBe(4);
    expect(valueOf(pair.server, "berth.binding.io", sent)).toBe(4);
    expect(valueOf(pair.server, "berth.binding.handler.duration", at)).toBe(1);
    expect(valueOf(pair.server, "berth.tcp.rtt", at)).toBe(1);
    expect(valueOf(pair.server, "berth.tcp.in_segs")).toBeGreaterThan(segments);
    expect(valueOf(pair.server, "berth.tcp.passive_opens")).toBe(1);
    expect(valueOf(pair.client, "berth.tcp.active_opens")).toBe(1);
    expect(valueOf(pair.client, "berth.tcp.passive_opens")).toBe(0);
  });

  // A handler that throws, a SYN that a plugin refuses, a SYN to a port without a listener.
  test("counts handlers that fail, refusals and dropped packets", async () => {
    await using pair = new StackPair();
    pair.server.use(80, () => Promise.reject(new Error("a fault")));
    pair.server.use(25, { name: "no mail", onSyn: () => "refuse" });
    for (const port of [80, 25, 99]) {
      const socket = pair.client.connect(`10.0.0.2:${port}`);
      expect(await pair.run(codeOf(socket.closed))).not.toBe("none");
    }
    await pair.clock.advance(1000);
    expect(valueOf(pair.server, "berth.binding.handler.errors", { listen: "80" })).toBe(1);
    expect(valueOf(pair.server, "berth.binding.refused", { listen: "25" })).toBe(1);
    const reason = "tcp-no-connection";
    expect(valueOf(pair.server, "berth.packets.dropped", { reason }))
      .toBe(pair.server.stats()[`drop.${reason}`]!);
    expect(valueOf(pair.server, "berth.tcp.out_rsts")).toBe(pair.server.stats()["resetsSent"]!);
  });

  // A flow counts when it begins, its bytes when it ends.
  test("counts flows", async () => {
    await using pair = new StackPair();
    pair.server.use("udp/9", {
      name: "one",
      async flow({ flow }) {
        const datagram = await flow.receive();
        await flow.send(datagram!);
      },
    });
    const socket = pair.client.listenDatagram({ port: 0 });
    await pair.run(socket.send(bytes("ahoy"), "10.0.0.2:9"));
    await pair.run(socket.receive());
    await pair.clock.advance(1000);
    const at = { listen: "udp/9", plugin: "one" };
    expect(valueOf(pair.server, "berth.binding.connections", at)).toBe(1);
    expect(valueOf(pair.server, "berth.binding.open", at)).toBe(0);
    for (const direction of ["receive", "transmit"]) {
      const io = { ...at, "network.io.direction": direction };
      expect(valueOf(pair.server, "berth.binding.io", io)).toBe(4);
    }
  });

  // The counters of a replaced plugin stay when it is disposed; its gauges are removed.
  test("sums plugins over replacements", async () => {
    await using pair = new StackPair();
    const first = { count: 3 };
    const binding = pair.server.use(7, counting(first));
    expect(valueOf(pair.server, "calls", { listen: "7", plugin: "counting" })).toBe(3);
    first.count = 4;
    binding.replace(counting({ count: 10 }));
    expect(valueOf(pair.server, "calls")).toBe(14);
    await pair.clock.advance(1);
    expect(valueOf(pair.server, "calls")).toBe(14);
    expect(valueOf(pair.server, "state")).toBe(1);
    await pair.run(binding.remove());
    await pair.clock.advance(1);
    expect(valueOf(pair.server, "calls")).toBe(14);
    expect(valueOf(pair.server, "state")).toBe(NaN);
  });

  // A plugin that throws, or returns something other than metrics, does not hide the metrics of the others.
  test.each([
    ["throws", () => {
      throw new Error("a fault");
    }],
    ["returns nothing", () => undefined],
    ["returns a metric without a name", () => [{ points: [{ attributes: {}, value: 1 }] }]],
    ["returns a metric without points", () => [{ ...state, points: undefined }]],
    ["returns a bigint", () => [{ ...state, points: [{ attributes: {}, value: 1n }] }]],
    [
      "returns a number as attribute",
      () => [{ ...state, points: [{ attributes: { a: 1 }, value: 1 }] }],
    ],
    ["returns an unknown kind", () => [{ ...state, kind: "sum" }]],
  ])("survives a plugin that %s", async (_, metrics) => {
    await using pair = new StackPair();
    const faulty = { ...counting({ count: 1 }), metrics } as unknown as Plugin;
    const binding = pair.server.use(7, faulty);
    pair.server.use(8, counting({ count: 2 }));
    expect(valueOf(pair.server, "calls")).toBe(2);
    expect(valueOf(pair.server, "berth.plugin.metrics.errors")).toBe(1);
    await pair.run(binding.remove());
    await pair.clock.advance(1);
    expect(valueOf(pair.server, "berth.plugin.metrics.errors")).toBe(NaN);
  });

  // 2000 listen addresses come and go: the table of counts stays bounded.
  test("bounds the number of listen addresses", async () => {
    await using pair = new StackPair();
    for (let port = 1; port <= 2000; port++) void pair.server.use(port, echo()).remove();
    const metric = pair.server.metrics().find(({ name }) => name === "berth.binding.connections");
    expect(metric!.points.length).toBe(MAX_BINDINGS);
    expect(metric!.points.at(-1)!.attributes).toEqual({ listen: "other", plugin: "other" });
  });
});
