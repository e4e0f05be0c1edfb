/**
 * The metrics of a whole stack.
 *
 * @module
 */
import type { CoreStack } from "../../stack/stack.ts";
import type { BindingCountsTable } from "./binding_counts.ts";
import { type Metric, type MetricDefinition, metricOf } from "./metric.ts";
import { netstatMetrics } from "./netstat.ts";

const STATES: MetricDefinition = {
  name: "berth.tcp.connections",
  kind: "gauge",
  unit: "{connection}",
  description: "Connections by state, as in RFC 9293 figure 5.",
};
const FLOWS: MetricDefinition = {
  name: "berth.udp.flows",
  kind: "gauge",
  unit: "{flow}",
  description: "Open flows of datagrams.",
};
const DROPPED: MetricDefinition = {
  name: "berth.packets.dropped",
  kind: "counter",
  unit: "{packet}",
  description: "Packets dropped, by reason.",
};
const LINK: MetricDefinition = {
  name: "berth.link.events",
  kind: "counter",
  unit: "{event}",
  description: "Counters of the link, by name.",
};

/** The metrics of {@link stackMetrics} besides those of the MIBs. */
export const STACK_METRICS: readonly MetricDefinition[] = [STATES, FLOWS, DROPPED, LINK];

/** A snapshot. It does not visit the connections, of which there may be very many. */
export function stackMetrics(
  core: CoreStack,
  link: Readonly<Record<string, number>>,
  bindings: BindingCountsTable,
): Metric[] {
  const { stats, tcp } = core;
  const { states } = tcp.counts;
  return [
    ...netstatMetrics({ stats, tcp: tcp.counts }),
    metricOf(STATES, Object.entries(states).map(([state, count]) => [{ state }, count])),
    metricOf(FLOWS, [[{}, core.udp.flows.table.count]]),
    metricOf(DROPPED, [...stats.drops()].map(([reason, count]) => [{ reason }, count])),
    metricOf(LINK, Object.entries(link).map(([event, count]) => [{ event }, count])),
    ...[...bindings.all()].flatMap((counts) => counts.metrics),
  ];
}
