import { describe, expect, test } from "bun:test";
import { totalsOf } from "../../../core/api/metrics/histogram.ts";
import type { HistogramValue } from "../../../core/api/metrics/metric.ts";
import type { Plugin } from "../../../core/api/types.ts";
import { forwardThrough } from "../../../plugins/forward.ts";
import type { Dial } from "../../../plugins/shared/host_network.ts";
import { socketPair } from "../../support/fake_socket.ts";
import { Clients, FakeTargets, tcpOnly } from "./fake_targets.ts";

const UPSTREAMS = ["10.0.0.3:80", "10.0.0.4:80"];

/** The values of a metric, by upstream; of a histogram, the number of durations. */
function valuesOf(plugin: Plugin, name: string): Record<string, number> {
  const points = plugin.metrics!().filter((each) => each.name === name).flatMap((each) =>
    each.points
  );
  return Object.fromEntries(points.map(({ attributes, value }) => [
    attributes["upstream"],
    typeof value === "number" ? value : totalsOf(value as HistogramValue).count,
  ]));
}

describe("the metrics of forward", () => {
  // Four connections, of which the first upstream refuses its share until it is down.
  test("show the health, connections, failures and handshakes of each upstream", async () => {
    const targets = new FakeTargets();
    targets.moods.set(UPSTREAMS[0]!, "refuses");
    const plugin = forwardThrough(tcpOnly(targets.dial))({ to: UPSTREAMS, unhealthyAfter: 2 });
    const clients = new Clients(plugin);
    for (let i = 0; i < 4; i++) await clients.connect();
    const [first = "", second = ""] = UPSTREAMS;
    expect(valuesOf(plugin, "berth.upstream.up")).toEqual({ [first]: 0, [second]: 1 });
    expect(valuesOf(plugin, "berth.upstream.open")).toEqual({ [first]: 0, [second]: 4 });
    expect(valuesOf(plugin, "berth.upstream.failures")).toEqual({ [first]: 2, [second]: 0 });
    expect(valuesOf(plugin, "berth.upstream.rtt")).toEqual({ [first]: 0, [second]: 0 });
    expect(valuesOf(plugin, "berth.upstream.connect.duration"))
      .toEqual({ [first]: 0, [second]: 4 });
  });

  // The host reports the round-trip time of a connection that was made after the metrics were read first.
  test("show the round-trip times that the host measures", async () => {
    const rtts: ((milliseconds: number) => void)[] = [];
    const dial: Dial = () =>
      Promise.resolve(Object.assign(socketPair().client, {
        onRtt: (callback: (milliseconds: number) => void) => void rtts.push(callback),
      }));
    const plugin = forwardThrough(tcpOnly(dial))({ to: "10.0.0.3:80" });
    const clients = new Clients(plugin);
    await clients.connect();
    expect(rtts.length).toBe(0);
    valuesOf(plugin, "berth.upstream.rtt");
    await clients.connect();
    expect(rtts.length).toBe(1);
    rtts[0]!(2.5);
    const [metric] = plugin.metrics!().filter(({ name }) => name === "berth.upstream.rtt");
    expect(totalsOf(metric!.points[0]!.value as HistogramValue)).toEqual({ count: 1, sum: 0.0025 });
  });
});
