import { describe, expect, test } from "bun:test";
import { MAX_MESSAGE } from "../../../../adapters/host/native/message_socket.ts";
import {
  EarlierMetrics,
  metricsMessages,
} from "../../../../adapters/service/metrics/earlier_metrics.ts";
import { DurationHistogram } from "../../../../core/api/metrics/histogram.ts";
import {
  type Metric,
  type MetricDefinition,
  metricOf,
} from "../../../../core/api/metrics/metric.ts";

const COUNTER: MetricDefinition = { name: "c", kind: "counter", unit: "1", description: "Things." };
const GAUGE: MetricDefinition = { ...COUNTER, name: "g", kind: "gauge" };

const reading = (count: number): Metric[] => [
  metricOf(COUNTER, [[{}, count]]),
  metricOf(GAUGE, [[{}, count]]),
  metricOf({ ...GAUGE, name: "process.uptime" }, [[{}, count]]),
];

const valuesOf = (metrics: readonly Metric[]) =>
  metrics.map(({ name, points: [point] }) => [name, point!.value]);

describe("the metrics of earlier processes", () => {
  // While a process runs, its last reading counts; when it has ended, its counters are kept.
  test("are the last ones of each", () => {
    const earlier = new EarlierMetrics();
    for (const count of [1, 2]) {
      for (const message of metricsMessages(reading(count))) earlier.take(3, message);
    }
    for (const message of metricsMessages(reading(10))) earlier.take(4, message);
    expect(valuesOf(earlier.all)).toEqual([["c", 2], ["g", 2], ["c", 10], ["g", 10]]);
    earlier.end(3);
    expect(valuesOf(earlier.ended)).toEqual([["c", 2]]);
    earlier.end(4);
    expect(valuesOf(earlier.all)).toEqual([["c", 12]]);
    earlier.end(5);
  });

  // A thousand histograms: each message fits, and they are used when all have arrived.
  test("are divided into messages", () => {
    const { value } = new DurationHistogram();
    const points = Array.from({ length: 1000 }, (_, i): [Record<string, string>, typeof value] => [
      { listen: "x".repeat(200) + i, plugin: "y".repeat(200) },
      value,
    ]);
    const metric = metricOf({ ...COUNTER, kind: "histogram" }, points);
    const messages = metricsMessages([...reading(1), metric]);
    const sizes = messages.map((message) => JSON.stringify(message).length);
    expect(Math.max(...sizes)).toBeLessThan(MAX_MESSAGE);
    const earlier = new EarlierMetrics();
    for (const message of messages.slice(0, -1)) earlier.take(1, message);
    expect(earlier.all).toEqual([]);
    earlier.take(1, messages.at(-1)!);
    const histograms = earlier.all.filter(({ kind }) => kind === "histogram");
    expect(histograms.flatMap(({ points }) => points).length).toBe(1000);
  });

  // A reading of which the beginning was lost is not used.
  test("are not used in part", () => {
    const earlier = new EarlierMetrics();
    const many = Array.from({ length: 300 }, (_, i): [Record<string, string>, number] => [
      { name: String(i) },
      1,
    ]);
    const messages = metricsMessages([metricOf(COUNTER, many)]);
    expect(messages.length).toBe(3);
    for (const message of messages.slice(1)) earlier.take(1, message);
    expect(earlier.all).toEqual([]);
  });
});
