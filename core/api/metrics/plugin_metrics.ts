/**
 * What the plugins of a stack have counted.
 *
 * @module
 */
import type { Plugin } from "../types.ts";
import { type Metric, type MetricDefinition, metricOf } from "./metric.ts";
import { MetricSums } from "./metric_sums.ts";

/** Counts plugins that have thrown. */
export const UNREADABLE: MetricDefinition = {
  name: "berth.plugin.metrics.errors",
  kind: "gauge",
  unit: "{error}",
  description: "Plugins that have thrown instead of returning their metrics.",
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
    const last = metricsOf(plugin).filter(({ kind }) => kind !== "gauge");
    this.#disposed.add(last, { listen, plugin: plugin.name });
  }

  /** A snapshot. */
  get metrics(): readonly Metric[] {
    const sums = new MetricSums();
    sums.add(this.#disposed.metrics);
    for (const [plugin, listen] of this.#plugins) {
      sums.add(metricsOf(plugin), { listen, plugin: plugin.name });
    }
    return sums.metrics;
  }
}

/** A plugin that throws has no metrics, and does not affect those of other plugins. */
function metricsOf(plugin: Plugin): readonly Metric[] {
  try {
    return plugin.metrics!();
  } catch {
    return [metricOf(UNREADABLE, [[{}, 1]])];
  }
}
