/**
 * The metrics of a whole stack.
 *
 * @module
 */
import type { CoreStack } from "../../stack/stack.ts";
import { STATES as TCP_STATES, type TcpState } from "../../tcp/state.ts";
import { StackSocket } from "../tcp/tcp_socket.ts";
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

const ALL_STATES = Object.keys(TCP_STATES) as TcpState[];

/** A snapshot. Adds up the open connections of each binding on the way. */
export function stackMetrics(
  core: CoreStack,
  link: Readonly<Record<string, number>>,
  bindings: BindingCountsTable,
): Metric[] {
  const { stats, tcp } = core;
  const { endedSegments } = tcp;
  let { received, sent, retransmitted } = endedSegments;
  const states = new Map(ALL_STATES.map((state) => [state, 0]));
  for (const counts of bindings.all()) counts.clearOpen();
  for (const tcb of tcp.connections()) {
    received += tcb.segmentsIn;
    sent += tcb.segmentsOut;
    retransmitted += tcb.loss.retransmits;
    states.set(tcb.state, (states.get(tcb.state) ?? 0) + 1);
    if (tcb.handle instanceof StackSocket) tcb.handle.countOpen();
  }
  const established = (states.get("ESTABLISHED") ?? 0) + (states.get("CLOSE-WAIT") ?? 0);
  const segments = { received, sent, retransmitted };
  return [
    ...netstatMetrics({ stats, segments, established }),
    metricOf(STATES, [...states].map(([state, count]) => [{ state }, count])),
    metricOf(FLOWS, [[{}, core.udp.flows.table.count]]),
    metricOf(DROPPED, [...stats.drops()].map(([reason, count]) => [{ reason }, count])),
    metricOf(LINK, Object.entries(link).map(([event, count]) => [{ event }, count])),
    ...[...bindings.all()].flatMap((counts) => counts.metrics),
  ];
}
