/**
 * Metrics and traces for OpenTelemetry, exported by Deno itself (`OTEL_DENO=true`) or by an SDK.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { registerMetrics } from "@berth/berth/telemetry";
 *
 * const [here] = linkPair();
 * await using stack = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * using _metrics = registerMetrics(stack);
 * ```
 *
 * @module
 */
export { connectionSpans } from "../adapters/telemetry/connection_spans.ts";
export { traceparent } from "../adapters/telemetry/trace_context.ts";
export { requestSpans } from "../adapters/telemetry/request_spans.ts";
export {
  type MetricsRegistration,
  registerMetrics,
} from "../adapters/telemetry/register_metrics.ts";
