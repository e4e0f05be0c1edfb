/**
 * The metrics of a stack's plugins.
 *
 * @module
 */
import type { Plugin } from "../types.ts";
import { type Metric, type MetricDefinition, metricOf } from "./metric.ts";
import { MetricSums } from "./metric_sums.ts";

/** Counts plugins whose metrics cannot be read. */
export const UNREADABLE: MetricDefinition = {
  name: "berth.plugin.metrics.errors",
  kind: "gauge",
  unit: "{error}",
  description: "Plugins that threw instead of returning their metrics, or returned invalid ones.",
};

/** The metrics of plugins in use, and the last ones of those that have been disposed. */
export class PluginMetrics {
  /** Plugins with the listen addresses that they were first used for. */
  readonly #plugins = new Map<Plugin, string>();
  readonly #disposed = new MetricSums();

  /** A plugin is used for listen addresses. */
  add(plugin: Plugin, listen: string): void {
    if (plugin.metrics !== undefined && !this.#plugins.has(plugin)) {
      this.#plugins.set(plugin, listen);
    }
  }

  /** A plugin is about to be disposed: its counters and histograms are kept, its gauges are removed. */
  remove(plugin: Plugin): void {
    const listen = this.#plugins.get(plugin);
    if (listen === undefined) return;
    this.#plugins.delete(plugin);
    const last = new MetricSums();
    addMetrics(last, plugin, listen);
    this.#disposed.add(last.metrics.filter(({ kind }) => kind !== "gauge"));
  }

  /** A snapshot. */
  get metrics(): readonly Metric[] {
    const sums = new MetricSums();
    sums.add(this.#disposed.metrics);
    for (const [plugin, listen] of this.#plugins) addMetrics(sums, plugin, listen);
    return sums.metrics;
  }
}

/** A plugin that throws, or returns something else, does not affect the metrics of other plugins. */
function addMetrics(sums: MetricSums, plugin: Plugin, listen: string): void {
  const attributes = { listen, plugin: plugin.name };
  try {
    sums.add(plugin.metrics!(), attributes);
  } catch {
    sums.add([metricOf(UNREADABLE, [[{}, 1]])], attributes);
  }
}
