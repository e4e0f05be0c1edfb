/**
 * The `traceparent` field of W3C Trace Context.
 *
 * @module
 */
import { type Context, context, type SpanContext, trace } from "@opentelemetry/api";

/**
 * The `traceparent` field (W3C Trace Context) of the active span, for requests that an app sends: they then
 * continue its trace. `undefined` outside a span. Deno's own `fetch` adds the field by itself.
 *
 * @example
 * ```ts
 * import { requestSpans, traceparent } from "@berth/berth/telemetry";
 *
 * const app = requestSpans({
 *   fetch: () => fetch("http://127.0.0.1:3000/", { headers: { traceparent: traceparent() ?? "" } }),
 * });
 * console.log(app);
 * ```
 */
export function traceparent(): string | undefined {
  return formatTraceparent(context.active());
}

/** The field for the span of a context. */
export function formatTraceparent(active: Context): string | undefined {
  const found = trace.getSpanContext(active);
  if (found === undefined) return undefined;
  const flags = found.traceFlags.toString(16).padStart(2, "0");
  return `00-${found.traceId}-${found.spanId}-${flags}`;
}

/** The span that a field names (W3C Trace Context 3.2); later versions may append to it. */
export function parseTraceparent(field: string): SpanContext | undefined {
  const [, traceId = "", spanId = "", flags = ""] = FIELD.exec(field) ?? [];
  if (traceId === "") return undefined;
  return { traceId, spanId, traceFlags: parseInt(flags, 16) & 1, isRemote: true };
}

const FIELD = /^(?!ff)[\da-f]{2}-(?!0{32})([\da-f]{32})-(?!0{16})([\da-f]{16})-([\da-f]{2})(?:-|$)/;
