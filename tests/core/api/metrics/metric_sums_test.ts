import { describe, expect, test } from "bun:test";
import { DurationHistogram, totalsOf } from "../../../../core/api/metrics/histogram.ts";
import type { HistogramValue, Metric } from "../../../../core/api/metrics/metric.ts";
import {
  MAX_ATTRIBUTE_LENGTH,
  MAX_POINTS,
  MetricSums,
} from "../../../../core/api/metrics/metric_sums.ts";

const DEFINITION = { name: "berth.test", kind: "counter", unit: "1", description: "A test." };

function metric(values: readonly [string, number][], more: Partial<Metric> = {}): Metric {
  const points = values.map(([name, value]) => ({ attributes: { name }, value }));
  return { ...DEFINITION, ...more, points } as Metric;
}

describe("MetricSums", () => {
  // Counters of two threads are added by attribute; the attributes of the source are on each point.
  test("adds values with the same attributes", () => {
    const sums = new MetricSums();
    sums.add([metric([["a", 1], ["b", 2]])], { listen: "80" });
    sums.add([metric([["b", 3]])], { listen: "80" });
    sums.add([metric([["b", 4]])], { listen: "81" });
    expect(sums.metrics[0]!.points).toEqual([
      { attributes: { listen: "80", name: "a" }, value: 1 },
      { attributes: { listen: "80", name: "b" }, value: 5 },
      { attributes: { listen: "81", name: "b" }, value: 4 },
    ]);
  });

  // An upstream that is down in one worker is down.
  test("takes the minimum if the metric specifies it", () => {
    const sums = new MetricSums();
    for (const value of [1, 0, 1]) sums.add([metric([["a", value]], { combine: "min" })]);
    expect(sums.metrics[0]!.points[0]!.value).toBe(0);
  });

  // With 100,000 names nothing is lost, and the number of points stays bounded, in whatever order the names arrive.
  test("bounds the number of points", () => {
    const sums = new MetricSums();
    for (let i = 0; i < 100_000; i++) sums.add([metric([[`name ${i}`, 1]])]);
    const { points } = sums.metrics[0]!;
    expect(points.length).toBe(MAX_POINTS);
    expect(points.at(-1)).toEqual({
      attributes: { name: "other" },
      value: 100_000 - MAX_POINTS + 1,
    });
    sums.add([metric([["name 7", 1], ["name 99999", 1]])]);
    expect(sums.metrics[0]!.points.length).toBe(MAX_POINTS);
    expect(sums.metrics[0]!.points[7]!.value).toBe(2);
  });

  // A long name is cut; two that differ beyond the cut are one.
  test("bounds the length of attributes", () => {
    const sums = new MetricSums();
    for (const end of ["x", "y"]) sums.add([metric([[`${"n".repeat(10_000)}${end}`, 1]])]);
    expect(sums.metrics[0]!.points).toEqual([
      { attributes: { name: "n".repeat(MAX_ATTRIBUTE_LENGTH) }, value: 2 },
    ]);
  });
});

describe("DurationHistogram", () => {
  // A bound belongs to the bucket below it; a value that is not a duration counts as 0.
  test("counts by bucket, and keeps the sum of each", () => {
    const histogram = new DurationHistogram([1, 2]);
    for (const seconds of [0.5, 1, 1.5, 2, 99, -1, NaN]) histogram.record(seconds);
    expect(histogram.value).toEqual({ bounds: [1, 2], counts: [4, 2, 1], sums: [1.5, 3.5, 99] });
    expect(totalsOf(histogram.value)).toEqual({ count: 7, sum: 104 });
  });

  // The histograms of two threads are added.
  test("is added bucket by bucket", () => {
    const histogram = new DurationHistogram([1]);
    histogram.record(0.25);
    histogram.record(2);
    const sums = new MetricSums();
    for (let i = 0; i < 2; i++) {
      sums.add([{
        ...metric([], { kind: "histogram" }),
        points: [{ attributes: {}, value: histogram.value }],
      }]);
    }
    expect(sums.metrics[0]!.points[0]!.value as HistogramValue)
      .toEqual({ bounds: [1], counts: [2, 2], sums: [0.5, 4] });
  });
});
