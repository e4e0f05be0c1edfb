/**
 * Metrics of a stack and its plugins, as plain values that can be sent to another thread.
 *
 * @module
 */

/** What a metric means; the same for all of its points. */
export interface MetricDefinition {
  /** Lower-case words with dots between them, as OpenTelemetry names metrics: `berth.tcp.in_segs`. */
  readonly name: string;
  /** `"counter"` only grows, `"gauge"` is a state, `"histogram"` holds durations. */
  readonly kind: "counter" | "gauge" | "histogram";
  /** `"s"`, `"By"`, or what is counted in braces: `"{packet}"`. */
  readonly unit: string;
  /** What the metric counts or measures, in one sentence. */
  readonly description: string;
  /** How points of several threads become one. Default `"sum"`. */
  readonly combine?: "sum" | "min";
}

/** The attributes of a point, by name. Their values must not come from a peer. */
export type MetricAttributes = Readonly<Record<string, string>>;

/** Durations in seconds, counted by bucket. */
export interface HistogramValue {
  /** Upper bounds of the buckets, in seconds, ascending; one more bucket follows the last. */
  readonly bounds: readonly number[];
  /** Number of durations in each bucket. */
  readonly counts: readonly number[];
  /** Sum of the durations in each bucket, in seconds. */
  readonly sums: readonly number[];
}

/** A value with its attributes. */
export interface MetricPoint {
  /** The attributes that distinguish this point from the others of the metric. */
  readonly attributes: MetricAttributes;
  /** A {@link HistogramValue} if the metric is a histogram. */
  readonly value: number | HistogramValue;
}

/** A metric with its values. */
export interface Metric extends MetricDefinition {
  /** One for each combination of attributes. */
  readonly points: readonly MetricPoint[];
}

/** A metric with a point for each of `values`. */
export function metricOf(
  definition: MetricDefinition,
  values: Iterable<readonly [MetricAttributes, number | HistogramValue]>,
): Metric {
  const points = [...values].map(([attributes, value]) => ({ attributes, value }));
  return { ...definition, points };
}
