/**
 * One span for each connection.
 *
 * @module
 */
import {
  context,
  ROOT_CONTEXT,
  type Span,
  SpanKind,
  SpanStatusCode,
  trace,
  type Tracer,
} from "@opentelemetry/api";
import type { Context, Next, Plugin, TcpSocket } from "../../core/api/types.ts";
import { formatTraceparent } from "./trace_context.ts";
import { exceptionOf, registeredTracer } from "./tracer.ts";

/**
 * Makes a span for each connection, through the tracer provider that is registered with
 * `@opentelemetry/api`; the spans of its requests and what its handlers do are inside it. Put it in front
 * of the other plugins of a listen address. Does nothing for connections that begin before a provider is
 * registered.
 *
 * The name of the span is `connection`; its attributes are those of OpenTelemetry's conventions for networks,
 * and the bytes in both directions. Later plugins get its context as `c.get("traceparent")`.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo } from "@berth/berth/plugins";
 * import { connectionSpans } from "@berth/berth/telemetry";
 *
 * const [here] = linkPair();
 * await using stack = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * stack.use(7, connectionSpans(), echo());
 * ```
 */
export function connectionSpans(): Plugin {
  return {
    // Without a name, so that log lines name only the plugins that serve the connection.
    name: "",
    handle(c, next) {
      const tracer = registeredTracer();
      return tracer === undefined ? next() : traceConnection(tracer, c, next);
    },
  };
}

function traceConnection(tracer: Tracer, c: Context, next: Next): Promise<void> {
  const { socket } = c;
  const options = { kind: SpanKind.SERVER, attributes: addressesOf(socket) };
  const span = tracer.startSpan("connection", options, ROOT_CONTEXT);
  const inside = trace.setSpan(ROOT_CONTEXT, span);
  c.set("traceparent", formatTraceparent(inside));
  socket.closed.then(() => endSpan(span, socket), (error: unknown) => {
    span.recordException(exceptionOf(error));
    span.setStatus({ code: SpanStatusCode.ERROR });
    endSpan(span, socket);
  });
  return context.with(inside, () => next());
}

function addressesOf({ localAddr, remoteAddr }: TcpSocket): Record<string, string | number> {
  return {
    "network.transport": "tcp",
    "network.type": remoteAddr.hostname.includes(":") ? "ipv6" : "ipv4",
    "network.local.address": localAddr.hostname,
    "network.local.port": localAddr.port,
    "network.peer.address": remoteAddr.hostname,
    "network.peer.port": remoteAddr.port,
  };
}

function endSpan(span: Span, socket: TcpSocket): void {
  const { bytesIn, bytesOut } = socket.stats();
  span.setAttributes({ "berth.bytes.received": bytesIn, "berth.bytes.sent": bytesOut });
  span.end();
}
