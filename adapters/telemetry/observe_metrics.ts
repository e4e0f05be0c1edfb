/**
 * Exports the metrics of stacks as observable instruments of OpenTelemetry.
 *
 * @module
 */
import type { BatchObservableCallback, BatchObservableResult, Meter } from "@opentelemetry/api";
import type { Metric, MetricDefinition } from "../../core/api/metrics/metric.ts";

type Instrument = ReturnType<Meter["createObservableGauge"]>;

/** Returns the metrics; called at each collection. */
export type MetricSource = () => Iterable<Metric> | Promise<Iterable<Metric>>;

/** Maximum number of metrics; plugins can have their own. */
export const MAX_METRICS = 500;

/**
 * Observes counters and gauges; `onHistograms` gets the histograms, which OpenTelemetry cannot observe. A metric that
 * is not in `definitions` is exported from the collection after the one in which it first appears. Returns a function
 * that stops the export.
 */
export function observeMetrics(
  meter: Meter,
  definitions: readonly MetricDefinition[],
  source: MetricSource,
  onHistograms: (histograms: readonly Metric[]) => void | Promise<void>,
): () => void {
  const instruments = new Map<string, Instrument>();
  const add = (definition: MetricDefinition) => {
    if (definition.kind === "histogram" || instruments.size >= MAX_METRICS) return;
    instruments.set(definition.name, instrumentOf(meter, definition));
  };
  definitions.forEach(add);
  const observe: BatchObservableCallback = async (result) => {
    const metrics = [...await source()];
    const known = metrics.filter(({ name }) => instruments.has(name));
    for (const metric of known) observePoints(metric, instruments.get(metric.name)!, result);
    await onHistograms(metrics.filter(({ kind }) => kind === "histogram"));
    const unknown = metrics.filter(({ name, kind }) =>
      kind !== "histogram" && !instruments.has(name)
    );
    if (unknown.length === 0 || instruments.size >= MAX_METRICS) return;
    stop();
    unknown.forEach(add);
    start();
  };
  let observed: Instrument[] = [];
  const start = () => {
    observed = [...instruments.values()];
    meter.addBatchObservableCallback(observe, observed);
  };
  const stop = () => meter.removeBatchObservableCallback(observe, observed);
  start();
  return stop;
}

function observePoints(
  { points }: Metric,
  instrument: Instrument,
  result: BatchObservableResult,
): void {
  for (const { attributes, value } of points) {
    if (typeof value === "number") result.observe(instrument, value, attributes);
  }
}

function instrumentOf(
  meter: Meter,
  { name, kind, unit, description }: MetricDefinition,
): Instrument {
  const options = { unit, description };
  return kind === "counter"
    ? meter.createObservableCounter(name, options)
    : meter.createObservableGauge(name, options);
}
