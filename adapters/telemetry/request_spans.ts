/**
 * One span for each HTTP request.
 *
 * @module
 */
import {
  type Context,
  context,
  propagation,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { HttpEnv } from "../../plugins/shared/http/env.ts";
import type { FetchApp } from "../../plugins/shared/http/fetch_app.ts";
import { parseTraceparent } from "./trace_context.ts";
import { exceptionOf, registeredTracer } from "./tracer.ts";

/**
 * An app that makes a span for each request, through the tracer provider that is registered with
 * `@opentelemetry/api`. The span continues the trace that the request's `traceparent` names (W3C Trace Context);
 * otherwise its parent is the span of the connection, if there is one. While `app` answers, the span is the active
 * one: requests that `app` sends with Deno's `fetch`, or with the field `traceparent()`, continue the trace. The span
 * ends when `app` has returned its response.
 *
 * Does nothing for requests that arrive before a provider is registered.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { http } from "@berth/berth/plugins";
 * import { connectionSpans, requestSpans } from "@berth/berth/telemetry";
 *
 * const [here] = linkPair();
 * await using stack = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * stack.use(80, connectionSpans(), http(requestSpans({ fetch: () => new Response("ahoy") })));
 * ```
 */
export function requestSpans(app: FetchApp): FetchApp {
  return {
    fetch(request, env) {
      const tracer = registeredTracer();
      return tracer === undefined
        ? app.fetch(request, env)
        : traceRequest(tracer, request, env, () => app.fetch(request, env));
    },
  };
}

function traceRequest(
  tracer: Tracer,
  request: Request,
  env: HttpEnv,
  answer: () => Response | Promise<Response>,
): Response | Promise<Response> {
  const options = { kind: SpanKind.SERVER, attributes: attributesOf(request, env) };
  const parent = contextOf(request);
  // A client can send any method, and span names should have few values.
  const name = METHODS.has(request.method) ? request.method : "HTTP";
  const span = tracer.startSpan(name, options, parent);
  try {
    const response = context.with(trace.setSpan(parent, span), answer);
    if (response instanceof Promise) {
      return response.then((each) => ended(span, each), (error) => {
        fail(span, error);
        throw error;
      });
    }
    return ended(span, response);
  } catch (error) {
    fail(span, error);
    throw error;
  }
}

function ended(span: Span, response: Response): Response {
  // A faulty app may return something other than a Response, which the server reports.
  const { status } = Object(response) as { status?: number };
  if (status !== undefined) span.setAttribute("http.response.status_code", status);
  if (status === undefined || status >= 500) span.setStatus({ code: SpanStatusCode.ERROR });
  span.end();
  return response;
}

function fail(span: Span, error: unknown): void {
  span.recordException(exceptionOf(error));
  span.setStatus({ code: SpanStatusCode.ERROR });
  span.setAttribute("http.response.status_code", 500);
  span.end();
}

/** The context of the trace that the request continues. */
function contextOf({ headers }: Request): Context {
  const extracted = propagation.extract(context.active(), headers, {
    get: (carrier, name) => carrier.get(name) ?? undefined,
    keys: (carrier) => [...carrier.keys()],
  });
  if (trace.getSpanContext(extracted)?.isRemote) return extracted;
  // The global propagator extracts nothing unless an SDK has registered one, so the field is parsed here.
  const remote = parseTraceparent(headers.get("traceparent") ?? "");
  return remote === undefined ? extracted : trace.setSpanContext(extracted, remote);
}

const METHODS: ReadonlySet<string> = new Set(
  ["GET", "HEAD", "POST", "PUT", "PATCH", "DELETE", "OPTIONS", "QUERY"],
);

function attributesOf(
  request: Request,
  { remoteAddr, localAddr }: HttpEnv,
): Record<string, string | number> {
  const { protocol, pathname, hostname } = new URL(request.url);
  return {
    "http.request.method": METHODS.has(request.method) ? request.method : "_OTHER",
    "url.scheme": protocol.slice(0, -1),
    "url.path": pathname,
    "server.address": hostname,
    "server.port": localAddr.port,
    "client.address": remoteAddr.hostname,
    "network.peer.port": remoteAddr.port,
  };
}
