import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { afterEach, describe, expect } from "bun:test";
import { SERVICE_METRICS } from "../../../adapters/service/metrics/service_metrics.ts";
import { testRequiring } from "../../support/requirements.ts";
import { endRuns, RUN, Run } from "../../support/service_run.ts";

const isBun = process.versions.bun !== undefined;
const FIXTURES = "./tests/adapters/service/fixtures";
const TRACE = "0af7651916cd43dd8448eb211c80319c";
const PARENT = "b7ad6b7169203331";
/** The arrays that an OTLP message nests, down to metrics and spans. */
const NESTED = ["resourceMetrics", "scopeMetrics", "metrics"] as const;
const NESTED_SPANS = ["resourceSpans", "scopeSpans", "spans"] as const;

/** A metric with its data points, by kind. */
interface OtlpMetric {
  readonly name: string;
  readonly [kind: string]: unknown;
}
/** A span. */
interface OtlpSpan {
  readonly name: string;
  readonly traceId: string;
  readonly spanId: string;
  readonly parentSpanId?: string;
}

let close = () => {};
afterEach(async () => {
  close();
  await endRuns();
});

/** The content of an OTLP message, without resources and scopes. */
function partsOf<T>(message: unknown, nested: readonly string[]): T[] {
  let parts = [message];
  for (const key of nested) {
    parts = parts.flatMap((part) => (part as Record<string, unknown[]>)[key] ?? []);
  }
  return parts as T[];
}

/** A collector of OTLP in JSON on the loopback, which also is the upstream of the service. */
async function openCollector() {
  const spans: OtlpSpan[] = [];
  /** The kinds of metrics that had data points, by name. */
  const kinds = new Map<string, string>();
  const take = (path: string | undefined, text: string) => {
    if (path === "/v1/traces") spans.push(...partsOf<OtlpSpan>(JSON.parse(text), NESTED_SPANS));
    if (path !== "/v1/metrics") return;
    for (const metric of partsOf<OtlpMetric>(JSON.parse(text), NESTED)) {
      for (const kind of ["sum", "gauge", "histogram"]) {
        const { dataPoints } = (metric[kind] ?? {}) as { dataPoints?: unknown[] };
        if (dataPoints !== undefined && dataPoints.length > 0) kinds.set(metric.name, kind);
      }
    }
  };
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => text += chunk).on("end", () => {
      take(request.url, text);
      response.setHeader("Content-Type", "application/json").end("{}");
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  close = () => void server.close();
  const { port } = server.address() as AddressInfo;
  return { port, kinds, spans };
}

/** The names of the kinds of metrics in OTLP. */
const OTLP_KINDS = { counter: "sum", gauge: "gauge", histogram: "histogram" } as const;

describe("the service under OpenTelemetry", () => {
  // Deno exports with no SDK at all, Bun through one that is loaded first. The collector sees every metric that the
  // service has, with data points, those of upstreams, drops, the link and a faulty plugin included, and the spans of
  // a request that continues its client's trace, and of connections.
  // The kernel's sockets give the RTT of upstreams.
  testRequiring(
    ["native-sockets"],
    "exports all its metrics and its spans to a collector",
    async () => {
      const { port: collector, kinds, spans } = await openCollector();
      const variables = {
        ...process.env,
        OTEL_DENO: "true",
        OTEL_EXPORTER_OTLP_ENDPOINT: `http://127.0.0.1:${collector}`,
        OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
        OTEL_METRIC_EXPORT_INTERVAL: "200",
        OTEL_BSP_SCHEDULE_DELAY: "200",
      };
      const sdk = isBun ? ["--preload", "./tests/adapters/telemetry/fixtures/sdk.ts"] : [];
      const listen = [
        `80=http:${FIXTURES}/app.ts`,
        `81=forward:127.0.0.1:${collector}`,
        `82=${FIXTURES}/faulty_metrics.ts`,
      ];
      const run = new Run(
        process.execPath,
        [
          ...sdk,
          ...RUN,
          ...listen.flatMap((each) => ["--listen", each]),
          ...[80, 81].flatMap((port) => ["--publish", `127.0.0.1:0=10.7.0.2:${port}`]),
          // Dropped for their checksums, and sent again.
          ...["--impair", "seed=1,corrupt=0.1,incoming.corrupt=0.1"],
        ],
        variables,
      );
      const [, app, upstream] = await run.printed(
        /127\.0\.0\.1:(\d+)[^\n]*\n[^\n]*?127\.0\.0\.1:(\d+)[\s\S]*Ctrl\+C/,
      );
      // Metrics of a connection are complete when it ends.
      const get = (port: string, headers: Record<string, string> = {}) =>
        fetch(`http://127.0.0.1:${port}/`, { headers: { Connection: "close", ...headers } })
          .then((it) => it.text());
      const expected = new Map(SERVICE_METRICS.map(({ name, kind }) => [name, OTLP_KINDS[kind]]));
      const missing = () => [...expected.keys()].filter((name) => !kinds.has(name));
      const traceparent = `00-${TRACE}-${PARENT}-01`;
      const request = () => spans.find(({ traceId }) => traceId === TRACE);
      const connection = () => spans.find(({ name }) => name === "connection");
      const began = Date.now();
      while (missing().length > 0 || request() === undefined || connection() === undefined) {
        if (Date.now() - began > 40_000) break;
        await Promise.all([get(app!, { traceparent }), get(upstream!)]);
      }
      expect(missing()).toEqual([]);
      for (const [name, kind] of expected) expect([name, kinds.get(name)]).toEqual([name, kind]);
      expect(request()).toMatchObject({ name: "GET", parentSpanId: PARENT });
      expect(connection()!.traceId).not.toBe(TRACE);
    },
    60_000,
  );
});
