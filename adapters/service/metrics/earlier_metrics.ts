/**
 * The metrics of processes that have handed over to this one. They send their metrics while they have connections,
 * and this process keeps their counters after they have ended.
 *
 * @module
 */
import type { Metric } from "../../../core/api/metrics/metric.ts";
import { MetricSums } from "../../../core/api/metrics/metric_sums.ts";

/** A part of the metrics of a process. */
export interface MetricsMessage {
  readonly type: "metrics";
  readonly metrics: readonly Metric[];
  /** Whether this is the first part of a reading. */
  readonly isFirst: boolean;
  readonly isLast: boolean;
}

/** Maximum number of points in one message, because messages have a maximum size. */
const POINTS_PER_MESSAGE = 100;

/** Metrics that describe a single process, and are not passed on. */
const OWN = ["berth.info", "process.uptime"];

/** The messages that carry `metrics`. */
export function metricsMessages(metrics: Iterable<Metric>): MetricsMessage[] {
  const parts: Metric[][] = [[]];
  let count = 0;
  for (const metric of metrics) {
    if (OWN.includes(metric.name)) continue;
    for (let at = 0; at < metric.points.length; at += POINTS_PER_MESSAGE) {
      const points = metric.points.slice(at, at + POINTS_PER_MESSAGE);
      if (count > 0 && count + points.length > POINTS_PER_MESSAGE) {
        parts.push([]);
        count = 0;
      }
      parts.at(-1)!.push({ ...metric, points });
      count += points.length;
    }
  }
  return parts.map((metrics, index) => ({
    type: "metrics",
    metrics,
    isFirst: index === 0,
    isLast: index === parts.length - 1,
  }));
}

/** The metrics of earlier processes, by their numbers. */
export class EarlierMetrics {
  readonly #arriving = new Map<number, Metric[]>();
  readonly #running = new Map<number, readonly Metric[]>();
  readonly #ended = new MetricSums();

  /** Handles a message of a process. A reading is used once its last part has arrived. */
  take(process: number, { metrics, isFirst, isLast }: MetricsMessage): void {
    if (isFirst) this.#arriving.set(process, []);
    const arriving = this.#arriving.get(process);
    if (arriving === undefined) return;
    arriving.push(...metrics);
    if (!isLast) return;
    this.#arriving.delete(process);
    this.#running.set(process, arriving);
  }

  /** Records that a process has ended: its counters and histograms are kept, its gauges are dropped. */
  end(process: number): void {
    this.#ended.add((this.#running.get(process) ?? []).filter(({ kind }) => kind !== "gauge"));
    this.#running.delete(process);
    this.#arriving.delete(process);
  }

  /** The metrics of processes that have ended, which this process now reports as its own. */
  get ended(): readonly Metric[] {
    return this.#ended.metrics;
  }

  /** The metrics of all earlier processes. */
  get all(): readonly Metric[] {
    return [...this.ended, ...[...this.#running.values()].flat()];
  }
}
