/**
 * Metrics for the provider that the program has registered with OpenTelemetry.
 *
 * @module
 */
import { metrics as openTelemetry } from "@opentelemetry/api";
import manifest from "../../deno.json" with { type: "json" };
import type { Stack } from "../../core/api/types.ts";
import type { MetricDefinition } from "../../core/api/metrics/metric.ts";
import { DEFINITIONS } from "./definitions.ts";
import { HistogramRecorder } from "./histogram_recorder.ts";
import { type MetricSource, observeMetrics } from "./observe_metrics.ts";

/** An export of metrics in progress; see {@link registerMetrics}. */
export interface MetricsRegistration extends Disposable {
  /** Stops the export. */
  stop(): void;
}

/**
 * Exports the metrics of a stack through the meter provider that is registered with `@opentelemetry/api`: Deno's
 * own with `OTEL_DENO=true`, or that of an SDK, which has to be registered before. Without a provider it
 * does nothing, and nothing is measured.
 *
 * The provider reads the metrics at its own interval; they are those of `stack.metrics()`.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 * import { registerMetrics } from "@berth/berth/telemetry";
 *
 * const [here] = linkPair();
 * await using stack = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * stack.use(7, echo());
 * using _metrics = registerMetrics(stack);
 * ```
 */
export function registerMetrics(stack: Pick<Stack, "metrics">): MetricsRegistration {
  return registerSource(() => stack.metrics(), DEFINITIONS);
}

/** {@link registerMetrics} for any source. */
export function registerSource(
  source: MetricSource,
  definitions: readonly MetricDefinition[],
): MetricsRegistration {
  const meter = openTelemetry.getMeter("berth", manifest.version);
  const recorder = new HistogramRecorder(meter);
  const stop = observeMetrics(
    meter,
    definitions,
    source,
    (histograms) => recorder.record(histograms),
  );
  return { stop, [Symbol.dispose]: stop };
}
