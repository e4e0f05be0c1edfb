/**
 * Metrics as the text that Prometheus reads. Loaded only where metrics are on.
 *
 * @module
 */
import { PrometheusSerializer } from "@opentelemetry/exporter-prometheus";
import {
  AggregationTemporality,
  DataPointType,
  MeterProvider,
  type MetricData,
  MetricReader,
  type ResourceMetrics,
} from "@opentelemetry/sdk-metrics";
import manifest from "../../../deno.json" with { type: "json" };
import { totalsOf } from "../../../core/api/metrics/histogram.ts";
import type { Metric, MetricDefinition } from "../../../core/api/metrics/metric.ts";
import { NETSTAT_NAMES } from "../../../core/api/metrics/netstat.ts";
import { type MetricSource, observeMetrics } from "../../telemetry/observe_metrics.ts";

/** Prometheus names have the unit at their end. */
const SUFFIXES: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };

/** The name of a metric in the text, without the endings of a histogram's series. */
export function prometheusName({ name, kind, unit }: MetricDefinition): string {
  return name.replaceAll(".", "_") + (SUFFIXES[unit] ?? "") + (kind === "counter" ? "_total" : "");
}

/** Collects on request. */
class ManualReader extends MetricReader {
  protected override onShutdown(): Promise<void> {
    return Promise.resolve();
  }

  protected override onForceFlush(): Promise<void> {
    return Promise.resolve();
  }
}

/** Reads one source. */
export class PrometheusText {
  readonly #reader = new ManualReader();
  readonly #serializer = new PrometheusSerializer(undefined, false, undefined, true, true);
  #histograms: readonly Metric[] = [];
  #collecting: Promise<ResourceMetrics> | undefined;

  constructor(definitions: readonly MetricDefinition[], source: MetricSource) {
    const provider = new MeterProvider({ readers: [this.#reader] });
    const meter = provider.getMeter("berth", manifest.version);
    observeMetrics(meter, definitions, source, (histograms) => {
      this.#histograms = histograms;
    });
  }

  /**
   * The text. With `"node_exporter"` the counters of TCP, IP, UDP and ICMP have the names of node_exporter
   * (`node_netstat_Tcp_InSegs`), for dashboards that exist, and the other metrics are absent.
   */
  async text(names: "berth" | "node_exporter" = "berth"): Promise<string> {
    const collected = await this.#collect();
    const scopeMetrics = collected.scopeMetrics.map(({ scope, metrics }) => ({
      scope,
      metrics: names === "berth"
        ? [...metrics, ...this.#histograms.map(histogramData)].map(withUnit)
        : metrics.flatMap(asNodeExporter),
    }));
    return `${this.#serializer.serialize({ ...collected, scopeMetrics }).trimEnd()}\n`;
  }

  /** Scrapes at the same time share one collection. */
  #collect(): Promise<ResourceMetrics> {
    this.#collecting ??= this.#reader.collect().then(({ resourceMetrics, errors }) => {
      if (errors.length > 0) throw errors[0];
      return resourceMetrics;
    }).finally(() => this.#collecting = undefined);
    return this.#collecting;
  }
}

function withUnit(data: MetricData): MetricData {
  const { name, unit } = data.descriptor;
  return {
    ...data,
    descriptor: { ...data.descriptor, name: name + (SUFFIXES[unit] ?? ""), unit: "" },
  };
}

function asNodeExporter(data: MetricData): MetricData[] {
  const mib = NETSTAT_NAMES.get(data.descriptor.name);
  if (mib === undefined || data.dataPointType === DataPointType.HISTOGRAM) return [];
  const descriptor = {
    ...data.descriptor,
    name: `node_netstat_${mib}`,
    description: `Statistic ${mib.replace("_", "")}.`,
    unit: "",
  };
  return [{ ...data, descriptor, dataPointType: DataPointType.GAUGE } as MetricData];
}

function histogramData({ name, unit, description, points }: Metric): MetricData {
  return {
    descriptor: { name, unit, description, valueType: 1 },
    dataPointType: DataPointType.HISTOGRAM,
    aggregationTemporality: AggregationTemporality.CUMULATIVE,
    dataPoints: points.flatMap(({ attributes, value }) => {
      if (typeof value === "number") return [];
      const { bounds: boundaries, counts } = value;
      const data = {
        ...totalsOf(value),
        buckets: { boundaries: [...boundaries], counts: [...counts] },
      };
      return [{ attributes, startTime: [0, 0], endTime: [0, 0], value: data }];
    }),
  };
}
