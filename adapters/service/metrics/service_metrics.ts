/**
 * The metrics of the service, for the registered OpenTelemetry provider and for Prometheus.
 *
 * @module
 */
import type { Metric, MetricDefinition } from "../../../core/api/metrics/metric.ts";
import { MetricSums } from "../../../core/api/metrics/metric_sums.ts";
import { DEFINITIONS } from "../../telemetry/definitions.ts";
import { registerSource } from "../../telemetry/register_metrics.ts";
import { LOG_METRICS } from "../log/service_log.ts";
import type { Service } from "../service.ts";
import { PROCESS_METRICS } from "./process_metrics.ts";

/** The metrics of the service, in the order of the documentation. */
export const SERVICE_METRICS: readonly MetricDefinition[] = [
  ...DEFINITIONS,
  ...PROCESS_METRICS,
  ...LOG_METRICS,
];

/**
 * Exports the metrics of a service, and those of `additional`. Returns a function that makes the text for Prometheus.
 */
export function exportMetrics(
  service: Pick<Service, "metrics">,
  additional: () => readonly Metric[],
): (names?: "node_exporter") => Promise<string> {
  const source = async () => {
    const sums = new MetricSums();
    sums.add(await service.metrics());
    sums.add(additional());
    return sums.metrics;
  };
  registerSource(source, SERVICE_METRICS);
  let reading: Promise<readonly Metric[]> | undefined;
  return async (names) => {
    // The exporter is loaded only by services that are scraped.
    const { prometheusText } = await import("./prometheus.ts");
    // Scrapes at the same time share one reading.
    reading ??= source().finally(() => reading = undefined);
    return prometheusText(await reading, names);
  };
}
