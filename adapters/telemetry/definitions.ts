/**
 * The metrics that a stack has by itself.
 *
 * @module
 */
import { BINDING_METRICS } from "../../core/api/metrics/binding_counts.ts";
import type { MetricDefinition } from "../../core/api/metrics/metric.ts";
import { NETSTAT_METRICS } from "../../core/api/metrics/netstat.ts";
import { UNREADABLE } from "../../core/api/metrics/plugin_metrics.ts";
import { STACK_METRICS } from "../../core/api/metrics/stack_metrics.ts";
import { UPSTREAM_METRICS } from "../../plugins/forward/target.ts";
import { REQUEST_DURATION } from "../../plugins/shared/http/request_durations.ts";

/** The definitions, in the order of the documentation. */
export const DEFINITIONS: readonly MetricDefinition[] = [
  ...NETSTAT_METRICS,
  ...STACK_METRICS,
  ...BINDING_METRICS,
  REQUEST_DURATION,
  ...UPSTREAM_METRICS,
  UNREADABLE,
];
