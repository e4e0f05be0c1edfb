import { spawn } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import {
  MAX_FAMILIES,
  prometheusName,
  prometheusText,
} from "../../../../adapters/service/metrics/prometheus.ts";
import {
  processMetrics,
  ThreadMetrics,
} from "../../../../adapters/service/metrics/process_metrics.ts";
import {
  exportMetrics,
  SERVICE_METRICS,
} from "../../../../adapters/service/metrics/service_metrics.ts";
import { DurationHistogram } from "../../../../core/api/metrics/histogram.ts";
import { type Metric, metricOf } from "../../../../core/api/metrics/metric.ts";
import { MetricSums } from "../../../../core/api/metrics/metric_sums.ts";
import { echo } from "../../../../plugins/echo.ts";
import { http } from "../../../../plugins/http.ts";
import { bytes, readText, StackPair } from "../../../core/api/stack_pair.ts";
import { metricsTable } from "../../../support/metrics_reference.ts";
import { testRequiring } from "../../../support/requirements.ts";
import { ROOT } from "../../../support/source_files.ts";

/** A metric of a plugin. */
const others = (value: number): Metric =>
  metricOf(
    { name: "my.jobs", kind: "counter", unit: "{job}", description: "Jobs done." },
    [[{ kind: 'a "quoted"\nname\\' }, value]],
  );

/** The metrics of a stack that has served echo and http, of the process and of a plugin. */
async function metricsOfService(): Promise<readonly Metric[]> {
  await using pair = new StackPair();
  pair.server.use(7, echo());
  pair.server.use(80, http({ fetch: () => new Response("ahoy") }));
  const text = "GET / HTTP/1.0\r\nHost: h\r\n\r\n";
  for (const port of [7, 80, 99]) {
    pair.server.metrics();
    const socket = pair.client.connect(`10.0.0.2:${port}`, { allowHalfOpen: true });
    await pair.run(socket.write(bytes(text)).then(() => socket.closeWrite()).catch(() => {}));
    await pair.run(readText(socket).catch(() => ""));
  }
  const sums = new MetricSums();
  sums.add([...pair.server.metrics(), ...processMetrics(), ...new ThreadMetrics().metrics]);
  return sums.metrics;
}

/** Runs a program on a text; resolves with its exit code and output. */
async function check(program: string, args: readonly string[], text: string): Promise<string> {
  const child = spawn(program, args);
  let out = "";
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (chunk) => out += chunk);
  child.stdin.end(text);
  const code = await new Promise((resolve) => child.on("close", resolve));
  return `${code} ${out}`;
}

describe("prometheusText", () => {
  // Prometheus's own checker accepts syntax, types and names.
  testRequiring(["program:promtool"], "passes promtool check metrics", async () => {
    const metrics = [...await metricsOfService(), others(1)];
    expect(await check("promtool", ["check", "metrics"], prometheusText(metrics))).toBe("0 ");
  });

  // A counter, a gauge and a histogram, with units in their names.
  test("names metrics as Prometheus does", async () => {
    const metrics = await metricsOfService();
    const text = prometheusText(metrics);
    expect(text).toContain('\nberth_binding_connections_total{listen="7",plugin="echo"} 1\n');
    expect(text).toContain("\n# TYPE berth_tcp_curr_estab gauge\n");
    expect(text).toContain("\nberth_packets_dropped_total{reason=");
    const series = 'listen="80",plugin="http",http_response_status_class="2xx"';
    expect(text).toContain(`\nhttp_server_request_duration_seconds_count{${series}} 1\n`);
    expect(text).toContain(
      `\nhttp_server_request_duration_seconds_bucket{${series},le="+Inf"} 1\n`,
    );
    expect(text.endsWith("\n")).toBe(true);
    const known = new Set(SERVICE_METRICS.map(prometheusName));
    const found = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!);
    expect(found.filter((name) => !known.has(name))).toEqual([]);
  });

  // The counters have the names of node_exporter, so that existing dashboards work.
  test("has the counters of the MIBs by other names too", async () => {
    const metrics = await metricsOfService();
    const text = prometheusText(metrics, "node_exporter");
    expect(text).toMatch(/^node_netstat_Tcp_PassiveOpens 2$/m);
    expect(text).toMatch(/^node_netstat_Tcp_InSegs \d+$/m);
    expect(text).not.toContain("berth_");
  });

  // The values of labels may have any character; names get those that Prometheus permits.
  test("escapes what plugins return", () => {
    expect(prometheusText([others(2)])).toContain(
      String.raw`my_jobs_total{kind="a \"quoted\"\nname\\"} 2`,
    );
    const odd = metricOf(
      { name: "0 jobs{}", kind: "gauge", unit: "1", description: "In\ntwo\\lines." },
      [[{ "a.b": "1", "a b": "2", "7": "3" }, Infinity], [{}, NaN]],
    );
    expect(prometheusText([odd])).toBe(
      [
        String.raw`# HELP _0_jobs_ In\ntwo\\lines.`,
        "# TYPE _0_jobs_ gauge",
        '_0_jobs_{_7="3",a_b="1"} +Inf',
        "_0_jobs_ NaN",
        "",
      ].join("\n"),
    );
  });

  // Each bucket includes those below it; the totals are those of the last.
  test("accumulates the buckets of histograms", () => {
    const histogram = new DurationHistogram([0.5, 2]);
    for (const seconds of [0.25, 0.5, 1, 4]) histogram.record(seconds);
    const definition = SERVICE_METRICS.find(({ name }) => name === "berth.tcp.rtt")!;
    const text = prometheusText([metricOf(definition, [[{ listen: "7" }, histogram.value]])]);
    expect(text.split("\n").slice(1)).toEqual([
      "# TYPE berth_tcp_rtt_seconds histogram",
      'berth_tcp_rtt_seconds_count{listen="7"} 4',
      'berth_tcp_rtt_seconds_sum{listen="7"} 5.75',
      'berth_tcp_rtt_seconds_bucket{listen="7",le="0.5"} 2',
      'berth_tcp_rtt_seconds_bucket{listen="7",le="2"} 3',
      'berth_tcp_rtt_seconds_bucket{listen="7",le="+Inf"} 4',
      "",
    ]);
  });

  // A second family of one name would make the whole text invalid.
  test("has each name once, and a bounded number of them", () => {
    const named = (name: string) =>
      metricOf({ name, kind: "gauge", unit: "1", description: "A state." }, [[{}, 1]]);
    expect(prometheusText([named("a.b"), named("a_b")]).match(/^# TYPE a_b gauge$/gm)!.length)
      .toBe(1);
    const many = Array.from({ length: 10_000 }, (_, i) => named(`state.${i}`));
    expect(prometheusText(many).match(/^# TYPE/gm)!.length).toBe(MAX_FAMILIES);
  });

  // 100,000 names: the text has a thousand of them, and the sum of the others.
  test("has a bounded number of series", () => {
    const sums = new MetricSums();
    const histogram = new DurationHistogram([1]);
    histogram.record(1);
    for (let i = 0; i < 100_000; i++) {
      sums.add([
        metricOf(SERVICE_METRICS.find(({ name }) => name === "berth.udp.flows")!, [[
          { name: String(i) },
          1,
        ]]),
        metricOf(SERVICE_METRICS.find(({ name }) => name === "berth.tcp.rtt")!, [[
          { name: String(i) },
          histogram.value,
        ]]),
      ]);
    }
    const text = prometheusText(sums.metrics);
    expect(text.match(/^berth_udp_flows\{/gm)!.length).toBe(1000);
    expect(text.match(/^berth_tcp_rtt_seconds_count\{/gm)!.length).toBe(1000);
    expect(text).toContain('berth_tcp_rtt_seconds_count{name="other"} 99001\n');
  });
});

describe("exportMetrics", () => {
  // A hundred scrapes at once cause one reading; a source that fails fails them all, once.
  test("reads once for scrapes at the same time", async () => {
    let readings = 0;
    const service = {
      async metrics() {
        await Promise.resolve();
        if (++readings === 2) throw new Error("no metrics today");
        return processMetrics();
      },
    };
    const text = exportMetrics(service, () => []);
    const scrape = () => Promise.allSettled(Array.from({ length: 100 }, () => text()));
    expect((await scrape()).every(({ status }) => status === "fulfilled")).toBe(true);
    expect(readings).toBe(1);
    expect((await scrape()).every(({ status }) => status === "rejected")).toBe(true);
    expect(readings).toBe(2);
    expect(await text()).toContain("berth_info");
  });
});

describe("docs/metrics.md", () => {
  // `deno task metrics` writes the table.
  test("has the generated table", () => {
    expect(readFileSync(join(ROOT, "docs/metrics.md"), "utf8")).toContain(metricsTable());
  });
});

describe("docs/grafana.json", () => {
  const { panels, templating } = JSON.parse(
    readFileSync(join(ROOT, "docs/grafana.json"), "utf8"),
  ) as {
    panels: { title: string; targets?: { expr: string }[] }[];
    templating: { list: { query: string }[] };
  };
  const queries = [
    ...panels.flatMap(({ targets = [] }) => targets.map(({ expr }) => expr)),
    ...templating.list.map(({ query }) => query).filter((query) => query.includes("(")),
  ];
  const series = new Set(SERVICE_METRICS.flatMap((definition) => {
    const name = prometheusName(definition);
    return definition.kind === "histogram"
      ? ["_bucket", "_sum", "_count"].map((ending) => name + ending)
      : [name];
  }));

  // Every name in a query is a series that exists, and each part of the service has a panel.
  test("queries metrics that exist", () => {
    expect(queries.length).toBeGreaterThan(30);
    const names = queries.flatMap((query) => query.match(/\b(?:berth|http|process)_\w+/g) ?? []);
    // A label, after the name of its metric.
    const labels = ["http_response_status_class"];
    expect(names.filter((name) => !series.has(name) && !labels.includes(name))).toEqual([]);
    const isQueried = ({ name }: { name: string }) =>
      names.some((used) => used.startsWith(name.replaceAll(".", "_")));
    const unused = SERVICE_METRICS.filter((definition) => !isQueried(definition));
    expect(unused.length).toBeLessThan(SERVICE_METRICS.length / 2);
  });
});
