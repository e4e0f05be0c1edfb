/**
 * Exports histograms to OpenTelemetry providers. OpenTelemetry has no observable histogram, so the durations added
 * since the last collection are recorded, each as the mean of its bucket. Buckets, count and sum are exact.
 *
 * @module
 */
import type { Histogram, Meter } from "@opentelemetry/api";
import type { HistogramValue, Metric, MetricAttributes } from "../../core/api/metrics/metric.ts";
import { macrotask } from "../../core/api/runtime/macrotask.ts";
import { MAX_METRICS } from "./observe_metrics.ts";

/** Number of durations that are recorded before the event loop gets a turn. */
const RECORDS_PER_TURN = 10_000;

interface Recorded {
  readonly histogram: Histogram;
  /** The values at the last collection, by attributes. */
  readonly before: Map<string, HistogramValue>;
}

/** Records histograms with the instruments of one meter. */
export class HistogramRecorder {
  readonly #meter: Meter;
  readonly #recorded = new Map<string, Recorded>();
  #left = RECORDS_PER_TURN;

  constructor(meter: Meter) {
    this.#meter = meter;
  }

  /** Records what has been added since the last call. */
  async record(metrics: readonly Metric[]): Promise<void> {
    for (const metric of metrics) {
      const recorded = this.#recordedOf(metric);
      for (const { attributes, value } of metric.points) {
        if (typeof value === "number" || recorded === undefined) continue;
        const key = JSON.stringify(attributes);
        const before = recorded.before.get(key);
        recorded.before.set(key, value);
        await this.#recordNew(recorded.histogram, attributes, value, before);
      }
    }
  }

  #recordedOf({ name, unit, description, points }: Metric): Recorded | undefined {
    const found = this.#recorded.get(name);
    const [first] = points;
    if (found !== undefined || typeof first?.value !== "object") return found;
    if (this.#recorded.size >= MAX_METRICS) return undefined;
    const advice = { explicitBucketBoundaries: [...first.value.bounds] };
    const histogram = this.#meter.createHistogram(name, { unit, description, advice });
    const recorded = { histogram, before: new Map<string, HistogramValue>() };
    this.#recorded.set(name, recorded);
    return recorded;
  }

  async #recordNew(
    histogram: Histogram,
    attributes: MetricAttributes,
    { counts, sums }: HistogramValue,
    before: HistogramValue | undefined,
  ): Promise<void> {
    for (let bucket = 0; bucket < counts.length; bucket++) {
      const count = counts[bucket]! - (before?.counts[bucket] ?? 0);
      const mean = (sums[bucket]! - (before?.sums[bucket] ?? 0)) / count;
      for (let i = 0; i < count; i++) {
        histogram.record(mean, attributes);
        if (--this.#left > 0) continue;
        this.#left = RECORDS_PER_TURN;
        await macrotask();
      }
    }
  }
}
