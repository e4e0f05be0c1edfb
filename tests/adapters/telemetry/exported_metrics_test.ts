import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { afterEach, describe, expect, test } from "bun:test";
import { SERVICE_METRICS } from "../../../adapters/service/metrics/service_metrics.ts";
import { endRuns, RUN, Run } from "../../support/service_run.ts";

const isBun = process.versions.bun !== undefined;
const APP = "80=http:./tests/adapters/service/fixtures/app.ts";
afterEach(endRuns);

/** A collector on the loopback: all names that have been sent to it. */
async function openCollector() {
  const spans: string[] = [];
  const names = new Set<string>();
  let wake = () => {};
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => text += chunk).on("end", () => {
      if (request.url === "/v1/traces") spans.push(text);
      for (const [, name] of text.matchAll(/"name":\s*"([a-z0-9_.]+)"/g)) names.add(name!);
      response.setHeader("Content-Type", "application/json").end("{}");
      wake();
    });
  });
  await new Promise<void>((resolve) => server.listen(0, "127.0.0.1", resolve));
  return {
    endpoint: `http://127.0.0.1:${(server.address() as AddressInfo).port}`,
    /** Resolves when all of `expected` have been sent; calls `act` after each message. */
    async received(expected: readonly string[], act: () => Promise<unknown>) {
      while (!expected.every((name) => names.has(name))) {
        await new Promise<void>((resolve) => wake = resolve);
        await act();
      }
    },
    /** Resolves with the next message. */
    next: () => new Promise<void>((resolve) => wake = resolve),
    /** What has been sent about spans. */
    spans: () => spans.join("\n"),
    close: () => server.close(),
  };
}

describe("the service under OpenTelemetry", () => {
  // Deno exports with no SDK at all, Bun through one that is loaded first. The collector sees the same
  // names. Deno exports spans too.
  test("exports to a collector", async () => {
    const collector = await openCollector();
    const variables = {
      ...process.env,
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_METRIC_EXPORT_INTERVAL: "200",
      OTEL_BSP_SCHEDULE_DELAY: "200",
    };
    const sdk = isBun ? ["--preload", "./tests/adapters/telemetry/fixtures/sdk.ts"] : [];
    const run = new Run(
      process.execPath,
      [...sdk, ...RUN, "--listen", APP, "--publish", "127.0.0.1:0=10.7.0.2:80"],
      variables,
    );
    const { hostname, port } = await run.published();
    const url = `http://${hostname}:${port}/`;
    // The handler of a connection ends with it.
    const get = (more: Record<string, string> = {}) =>
      fetch(url, { headers: { Connection: "close", ...more } }).then((it) => it.text());
    // Those of upstreams, dropped packets, a link's events and faulty plugins have no value here.
    const expected = SERVICE_METRICS.map(({ name }) => name)
      .filter((name) => !/^berth\.(upstream|packets|link|plugin)\./.test(name));
    expect(expected.length).toBeGreaterThan(30);
    await collector.received(expected, () => get());
    // Deno has a tracer as well: a request continues the trace of its client.
    const traceId = "0af7651916cd43dd8448eb211c80319c";
    const traceparent = `00-${traceId}-b7ad6b7169203331-01`;
    while (!isBun && !collector.spans().includes(traceId)) {
      await get({ traceparent });
      await collector.next();
    }
    expect(/"name":\s*"connection"/.test(collector.spans())).toBe(!isBun);
    collector.close();
  }, 30_000);
});
