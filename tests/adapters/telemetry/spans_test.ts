import { context, trace } from "@opentelemetry/api";
import { afterEach, describe, expect, test } from "bun:test";
import { connectionSpans } from "../../../adapters/telemetry/connection_spans.ts";
import { requestSpans } from "../../../adapters/telemetry/request_spans.ts";
import type { Plugin } from "../../../core/api/types.ts";
import { echo } from "../../../plugins/echo.ts";
import { type FetchApp, http } from "../../../plugins/http.ts";
import { bytes, readText, StackPair } from "../../core/api/stack_pair.ts";
import { traceparent } from "../../../adapters/telemetry/trace_context.ts";
import { registerTracing, unregisterTracing } from "./fixtures/test_tracing.ts";

afterEach(unregisterTracing);

const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
const head = (path: string, fields = "") => `GET ${path} HTTP/1.1\r\nHost: h\r\n${fields}\r\n`;

/** Sends requests on one connection; returns the responses. */
async function exchange(app: FetchApp, text: string, ...outer: Plugin[]): Promise<string> {
  await using pair = new StackPair();
  pair.server.use(80, ...outer as [Plugin], http(app));
  const socket = pair.client.connect("10.0.0.2:80", { allowHalfOpen: true });
  await pair.run(socket.write(bytes(text)));
  await pair.run(socket.closeWrite());
  const answer = await pair.run(readText(socket));
  await pair.clock.advance(100);
  return answer;
}

describe("requestSpans", () => {
  // One span for each request inside that of the connection, active while the application computes.
  test("are inside the span of their connection", async () => {
    const spans = registerTracing();
    const active: unknown[] = [];
    const app = requestSpans({
      async fetch() {
        await Promise.resolve();
        active.push(traceparent());
        return new Response("ahoy");
      },
    });
    await exchange(app, head("/a") + head("/b"), connectionSpans());
    expect(spans.map(({ name, attributes }) => [name, attributes["url.path"]]))
      .toEqual([["GET", "/a"], ["GET", "/b"], ["connection", undefined]]);
    const [first, second, connection] = spans;
    expect([first!.parentId, second!.parentId]).toEqual([connection!.spanId, connection!.spanId]);
    expect(active).toEqual(
      [first!, second!].map(({ traceId, spanId }) => `00-${traceId}-${spanId}-01`),
    );
    expect(traceparent()).toBe(undefined);
    expect(connection!.parentId).toBe(undefined);
    expect(first!.attributes).toMatchObject({
      "http.request.method": "GET",
      "http.response.status_code": 200,
      "url.scheme": "http",
      "client.address": "10.0.0.1",
      "server.address": "h",
      "server.port": 80,
    });
    expect(connection!.attributes).toMatchObject({
      "network.transport": "tcp",
      "network.type": "ipv4",
      "network.peer.address": "10.0.0.1",
      "network.local.port": 80,
      "berth.bytes.received": head("/a").length * 2,
    });
  });

  // The trace continues across services (W3C Trace Context); an invalid field starts a new trace.
  test.each([
    [`00-${TRACE}-${PARENT}-01`, "continues"],
    [`cc-${TRACE}-${PARENT}-01-what-the-future-may-bring`, "continues"],
    [`00-${"0".repeat(32)}-${PARENT}-01`, "starts"],
    [`00-${TRACE}-${"0".repeat(16)}-01`, "starts"],
    [`ff-${TRACE}-${PARENT}-01`, "starts"],
    [`00-${TRACE.toUpperCase()}-${PARENT}-01`, "starts"],
    ["nonsense", "starts"],
    [`00-${TRACE}-${PARENT}`, "starts"],
  ])("with traceparent %s: its trace %s", async (field, what) => {
    const spans = registerTracing();
    const app = requestSpans({ fetch: () => new Response("ahoy") });
    await exchange(app, head("/", `traceparent: ${field}\r\n`), connectionSpans());
    const [span] = spans;
    const continues = what === "continues";
    expect([span!.traceId === TRACE, span!.parentId === PARENT]).toEqual([continues, continues]);
  });

  // An error that the application throws, at once or later, is on its span, and the client gets 500.
  test("show the errors of the application", async () => {
    const spans = registerTracing();
    const app = requestSpans({
      fetch(request) {
        if (request.url.endsWith("/now")) throw new Error("at once");
        if (request.url.endsWith("/later")) return Promise.reject(new Error("later"));
        return new Response("", { status: 503 });
      },
    });
    const answer = await exchange(app, head("/now") + head("/later") + head("/503"));
    expect(answer.match(/HTTP\/1.1 \d+/g)).toEqual([
      "HTTP/1.1 500",
      "HTTP/1.1 500",
      "HTTP/1.1 503",
    ]);
    expect(spans.map(({ isError, exceptions }) => [isError, ...exceptions]))
      .toEqual([[true, "Error: at once"], [true, "Error: later"], [true]]);
    expect(spans[0]!.attributes["http.response.status_code"]).toBe(500);
  });

  // A client's own method is not a name of a span.
  test("take their names from a bounded set", async () => {
    const spans = registerTracing();
    const app = requestSpans({ fetch: () => new Response("ahoy") });
    await exchange(app, head("/").replace("GET", "PROPFIND"));
    expect(spans[0]!.name).toBe("HTTP");
    expect(spans[0]!.attributes["http.request.method"]).toBe("_OTHER");
  });

  // Without a provider nothing happens.
  test("are not made without a provider", async () => {
    const seen: unknown[] = [];
    const app = requestSpans({
      fetch: () => (seen.push(trace.getSpanContext(context.active())), new Response("ahoy")),
    });
    expect(await exchange(app, head("/"), connectionSpans())).toContain("ahoy");
    expect(seen).toEqual([undefined]);
  });
});

describe("connectionSpans", () => {
  // A peer that resets the connection: the span ends with the error.
  test("show how a connection ended", async () => {
    const spans = registerTracing();
    await using pair = new StackPair();
    pair.server.use(7, connectionSpans(), echo());
    const socket = pair.client.connect("10.0.0.2:7");
    await pair.run(socket.write(bytes("ahoy")));
    await pair.run(socket.read(new Uint8Array(4)));
    expect(spans).toEqual([]);
    socket.abort();
    await pair.clock.advance(100);
    expect(spans.length).toBe(1);
    expect(spans[0]!.isError).toBe(true);
    expect(spans[0]!.exceptions[0]).toContain("reset the connection");
    expect(spans[0]!.attributes["berth.bytes.sent"]).toBe(4);
  });
});
