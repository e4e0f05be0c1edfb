/**
 * `GET /upstreams`: the upstreams of `forward`, from the metrics of its plugins.
 *
 * @module
 */
import type { HistogramValue, Metric } from "../../../core/api/metrics/metric.ts";
import { upstreams } from "../admin/answers.ts";
import type { Route } from "../admin/route.ts";
import type { Service } from "../service.ts";

/** An upstream, with the figures of all workers added up. */
export interface Upstream {
  readonly upstream: string;
  /** Whether connections go to it; false if it is down in any worker. */
  readonly up: boolean;
  /** Number of open connections and flows. */
  readonly open: number;
  /** Number of connections that have failed, health checks included. */
  readonly failures: number;
  /** Mean duration of handshakes; `null` before the first. */
  readonly connectMs: number | null;
}

const PREFIX = "berth.upstream.";

/** Makes the route. */
export function upstreamsRoute(service: Pick<Service, "metrics">): Route {
  return {
    method: "GET",
    path: "/upstreams",
    answers: { 200: upstreams },
    summary: "The upstreams of forward with their health",
    handle: async (c) => c.json({ upstreams: upstreamsOf(await service.metrics()) }),
  };
}

/** The upstreams among metrics. */
export function upstreamsOf(metrics: readonly Metric[]): Upstream[] {
  const found = new Map<string, Partial<Record<string, number>>>();
  for (const { name, points } of metrics) {
    if (!name.startsWith(PREFIX)) continue;
    for (const { attributes, value } of points) {
      const upstream = attributes["upstream"] ?? "";
      const values = found.get(upstream) ?? {};
      found.set(upstream, values);
      if (typeof value === "number") values[name.slice(PREFIX.length)] = value;
      else Object.assign(values, meanOf(value));
    }
  }
  return [...found].map(([upstream, { up = 0, open = 0, failures = 0, connectMs = null }]) => ({
    upstream,
    up: up > 0,
    open,
    failures,
    connectMs,
  }));
}

function meanOf({ counts, sums }: HistogramValue): { connectMs?: number } {
  const sum = (values: readonly number[]) => values.reduce((total, each) => total + each, 0);
  return sum(counts) === 0 ? {} : { connectMs: 1000 * sum(sums) / sum(counts) };
}
