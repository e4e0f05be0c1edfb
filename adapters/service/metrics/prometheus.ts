/**
 * Formats metrics as text for Prometheus, with OpenTelemetry's exporter. This module is loaded only if metrics are
 * on.
 *
 * @module
 */
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import {
  AggregationTemporality,
  type DataPoint,
  DataPointType,
  type Histogram,
  type MetricData,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import { totalsOf } from "../../../core/api/metrics/histogram.ts";
import type {
  HistogramValue,
  Metric,
  MetricAttributes,
  MetricDefinition,
  MetricPoint,
} from "../../../core/api/metrics/metric.ts";
import { NETSTAT_NAMES } from "../../../core/api/metrics/netstat.ts";

/** Prometheus names have the unit at their end. */
const SUFFIXES: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };

/** Writes no timestamps, and no labels of the resource and the scope. */
const SERIALIZER = new PrometheusSerializer(undefined, false, undefined, true, true);

/** The exporter requires a resource; no label is taken from this one. */
const NO_RESOURCE: ResourceMetrics["resource"] = {
  attributes: {},
  merge: () => NO_RESOURCE,
  getRawAttributes: () => [],
};

/** The name of a metric in the text, without the endings of a histogram's series. */
export function prometheusName(definition: MetricDefinition): string {
  const name = validName(nameWithUnit(definition));
  return definition.kind === "counter" && !name.endsWith("_total") ? `${name}_total` : name;
}

/** Maximum number of metrics in the text; plugins can have their own. */
export const MAX_FAMILIES = 500;

/**
 * Formats metrics. With `"node_exporter"`, the text has only the counters of TCP, IP, UDP and ICMP, with the names of
 * node_exporter (`node_netstat_Tcp_InSegs`), so that existing dashboards work. If the names of several metrics differ
 * only in characters that Prometheus does not permit, the text has the first of them.
 */
export function prometheusText(
  metrics: Iterable<Metric>,
  names: "berth" | "node_exporter" = "berth",
): string {
  const families = new Map<string, MetricData>();
  for (const metric of metrics) {
    if (families.size >= MAX_FAMILIES) break;
    const mib = NETSTAT_NAMES.get(metric.name);
    if (names === "node_exporter" && mib === undefined) continue;
    const shown: Metric = names === "berth" ? metric : {
      ...metric,
      name: `node_netstat_${mib}`,
      kind: "gauge",
      unit: "",
      description: `Statistic ${mib!.replace("_", "")}.`,
    };
    const name = prometheusName(shown);
    if (!families.has(name) && shown.points.length > 0) families.set(name, dataOf(shown));
  }
  const scopeMetrics = [{ scope: { name: "berth" }, metrics: [...families.values()] }];
  return `${SERIALIZER.serialize({ resource: NO_RESOURCE, scopeMetrics }).trimEnd()}\n`;
}

/** Replaces characters that Prometheus does not permit, as the exporter does. */
function validName(name: string): string {
  return name.replace(/[^a-z0-9_]/gi, "_").replace(/_{2,}/g, "_").replace(/^(?=\d|$)/, "_");
}

function nameWithUnit({ name, unit }: MetricDefinition): string {
  return name + (SUFFIXES[unit] ?? "");
}

/**
 * A metric in the form of the SDK's collections. The values are already sums, so the SDK's aggregation is skipped; it
 * took three quarters of the time of a scrape.
 */
function dataOf(metric: Metric): MetricData {
  const { kind, description, points } = metric;
  const descriptor = { name: nameWithUnit(metric), unit: "", description, valueType: 1 };
  const aggregationTemporality = AggregationTemporality.CUMULATIVE;
  const common = { descriptor, aggregationTemporality };
  if (kind === "histogram") {
    const dataPoints = points.map((point) => dataPoint(point, histogramOf));
    return { ...common, dataPointType: DataPointType.HISTOGRAM, dataPoints };
  }
  const dataPoints = points.map((point) => dataPoint(point, (value) => value as number));
  return kind === "counter"
    ? { ...common, dataPointType: DataPointType.SUM, isMonotonic: true, dataPoints }
    : { ...common, dataPointType: DataPointType.GAUGE, dataPoints };
}

/** The times of a point, which the text does not have. */
const NO_TIME: [number, number] = [0, 0];

function dataPoint<T>(
  { attributes, value }: MetricPoint,
  valueOf: (value: MetricPoint["value"]) => T,
): DataPoint<T> {
  return {
    attributes: labelsOf(attributes),
    startTime: NO_TIME,
    endTime: NO_TIME,
    value: valueOf(value),
  };
}

function histogramOf(value: MetricPoint["value"]): Histogram {
  const { bounds, counts } = value as HistogramValue;
  const buckets = { boundaries: [...bounds], counts: [...counts] };
  return { ...totalsOf(value as HistogramValue), buckets };
}

/**
 * Labels with valid names, which the exporter does not check. Two labels of one name would make the whole text
 * invalid.
 */
function labelsOf(attributes: MetricAttributes): MetricAttributes {
  const names = Object.keys(attributes);
  if (names.every((name) => /^[a-z_][a-z0-9_]*$/i.test(name))) return attributes;
  const labels: Record<string, string> = {};
  for (const name of names) {
    labels[validName(name)] ??= attributes[name]!;
  }
  return labels;
}
