import { metrics as openTelemetry } from "@opentelemetry/api";
import { MeterProvider, MetricReader } from "@opentelemetry/sdk-metrics";
import { afterEach, describe, expect, test } from "bun:test";
import { registerMetrics, registerSource } from "../../../adapters/telemetry/register_metrics.ts";
import { DurationHistogram } from "../../../core/api/metrics/histogram.ts";
import { type MetricDefinition, metricOf } from "../../../core/api/metrics/metric.ts";
import { echo } from "../../../plugins/echo.ts";
import { bytes, readText, StackPair } from "../../core/api/stack_pair.ts";

/** An SDK's reader that collects when the test asks. */
class TestReader extends MetricReader {
  protected override onShutdown = () => Promise.resolve();
  protected override onForceFlush = () => Promise.resolve();
}

afterEach(() => openTelemetry.disable());

/** Registers an SDK; returns the function that collects the values by name. */
function registerSdk(): () => Promise<Map<string, readonly unknown[]>> {
  const reader = new TestReader();
  openTelemetry.setGlobalMeterProvider(new MeterProvider({ readers: [reader] }));
  return async () => {
    const { resourceMetrics, errors } = await reader.collect();
    expect(errors).toEqual([]);
    const all = resourceMetrics.scopeMetrics.flatMap(({ metrics }) => metrics);
    return new Map(all.map(({ descriptor, dataPoints }) => [
      descriptor.name,
      dataPoints.map(({ value }) => value),
    ]));
  };
}

const DURATION: MetricDefinition = {
  name: "test.duration",
  kind: "histogram",
  unit: "s",
  description: "Durations.",
};

describe("registerMetrics", () => {
  // An SDK sees the counters, gauges and histograms of the stack.
  test("exports to the registered SDK", async () => {
    const collect = registerSdk();
    await using pair = new StackPair();
    pair.server.use(7, echo());
    let asked = 0;
    const registration = registerMetrics({ metrics: () => (asked++, pair.server.metrics()) });
    const socket = pair.client.connect("10.0.0.2:7", { allowHalfOpen: true });
    await pair.run(socket.write(bytes("ahoy")));
    await pair.run(socket.closeWrite());
    await pair.run(readText(socket));
    await collect();
    const values = await collect();
    expect(values.get("berth.binding.connections")).toEqual([1]);
    expect(values.get("berth.binding.io")).toEqual([4, 4]);
    expect(values.get("berth.tcp.passive_opens")).toEqual([1]);
    const [duration] = values.get("berth.binding.handler.duration") as { count: number }[];
    expect(duration!.count).toBe(1);
    expect(asked).toBe(2);
    registration.stop();
    await collect();
    expect(asked).toBe(2);
  });

  // Without a provider the metrics are never read, and nothing is measured.
  test("does nothing without a provider", () => {
    let asked = 0;
    registerSource(() => (asked++, []), [DURATION]).stop();
    expect(asked).toBe(0);
  });

  // 30,000 durations over three collections: each is exported once, in its bucket, and the sum is
  // that of the durations themselves, not of the buckets' bounds.
  test("exports histograms exactly", async () => {
    const collect = registerSdk();
    const histogram = new DurationHistogram([1, 10]);
    using _registration = registerSource(
      () => [
        metricOf({ ...DURATION, name: "other", kind: "gauge" }, [[{}, 1]]),
        metricOf(DURATION, [[{ listen: "80" }, histogram.value]]),
      ],
      [{ ...DURATION, name: "other", kind: "gauge" }],
    );
    for (let i = 0; i < 3; i++) {
      for (let j = 0; j < 5000; j++) {
        histogram.record(0.25);
        histogram.record(2.5);
      }
      await collect();
    }
    const [value] = (await collect()).get("test.duration") as {
      count: number;
      sum: number;
      buckets: unknown;
    }[];
    expect(value!.count).toBe(30_000);
    expect(Math.round(value!.sum * 1000) / 1000).toBe(15_000 * 2.75);
    expect(value!.buckets).toEqual({ boundaries: [1, 10], counts: [15_000, 15_000, 0] });
  });
});
