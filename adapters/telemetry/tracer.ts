/**
 * The tracer of the provider that the program has registered with OpenTelemetry.
 *
 * @module
 */
import { ProxyTracerProvider, trace, type Tracer } from "@opentelemetry/api";
import manifest from "../../deno.json" with { type: "json" };

/** The tracer; `undefined` if no provider is registered, so that nothing is traced. */
export function registeredTracer(): Tracer | undefined {
  const provider = trace.getTracerProvider();
  return provider instanceof ProxyTracerProvider
    ? provider.getDelegateTracer("berth", manifest.version)
    : provider.getTracer("berth", manifest.version);
}

/** The attributes of an error for a span. */
export function exceptionOf(error: unknown): Error | string {
  return error instanceof Error ? error : String(error);
}
