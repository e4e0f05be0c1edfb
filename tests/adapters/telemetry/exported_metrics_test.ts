import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import process from "node:process";
import { afterEach, describe, expect, test } from "bun:test";
import { SERVICE_METRICS } from "../../../adapters/service/metrics/service_metrics.ts";
import { endRuns, RUN, Run } from "../../support/service_run.ts";

const isBun = process.versions.bun !== undefined;
afterEach(endRuns);

/** A collector on the loopback: all names that have been sent to it. */
async function openCollector() {
  const names = new Set<string>();
  let wake = () => {};
  const server = createServer((request, response) => {
    let text = "";
    request.on("data", (chunk) => text += chunk).on("end", () => {
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
    close: () => server.close(),
  };
}

describe("the service under OpenTelemetry", () => {
  // Deno exports with no SDK at all, Bun through one that is loaded first. The collector sees the same
  // names.
  test("exports its metrics to a collector", async () => {
    const collector = await openCollector();
    const variables = {
      ...process.env,
      OTEL_DENO: "true",
      OTEL_EXPORTER_OTLP_ENDPOINT: collector.endpoint,
      OTEL_EXPORTER_OTLP_PROTOCOL: "http/json",
      OTEL_METRIC_EXPORT_INTERVAL: "200",
    };
    const sdk = isBun ? ["--preload", "./tests/adapters/telemetry/fixtures/sdk.ts"] : [];
    const run = new Run(
      process.execPath,
      [...sdk, ...RUN, "--publish", "127.0.0.1:0=10.7.0.2:80"],
      variables,
    );
    const { hostname, port } = await run.published();
    const url = `http://${hostname}:${port}/`;
    // The handler of a connection ends with it.
    const get = () => fetch(url, { headers: { Connection: "close" } }).then((it) => it.text());
    // Those of upstreams, dropped packets, a link's events and faulty plugins have no value here.
    const expected = SERVICE_METRICS.map(({ name }) => name)
      .filter((name) => !/^berth\.(upstream|packets|link|plugin)\./.test(name));
    expect(expected.length).toBeGreaterThan(30);
    await collector.received(expected, get);
    collector.close();
  }, 30_000);
});
