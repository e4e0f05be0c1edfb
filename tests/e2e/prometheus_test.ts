import { writeFileSync } from "node:fs";
import { describe, expect } from "bun:test";
import { prometheusName } from "../../adapters/service/metrics/prometheus.ts";
import { SERVICE_METRICS } from "../../adapters/service/metrics/service_metrics.ts";
import { Namespace } from "../support/namespace.ts";
import { testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { NEEDS, startService, TWO_WORKERS, V4 } from "./service.ts";

/** An address on which nobody listens. */
const CLOSED = "127.0.0.1:9";

describe("/metrics of a service with workers", () => {
  // With successful and failed requests, one upstream up and one down, and a dropped packet: Prometheus's own checker
  // accepts the text, and the sums have the values of all workers.
  testRequiring(
    [...NEEDS, "program:curl", "program:promtool"],
    "passes promtool check metrics",
    async () => {
      await using namespace = await Namespace.open();
      using folder = new TemporaryFolder();
      const socket = folder.file("admin");
      const targets = { plugin: "forward", options: { to: [`${V4}:80`, CLOSED] } };
      const config = folder.write("berth.json", JSON.stringify({ listen: { 8080: targets } }));
      const flags = [...TWO_WORKERS, "--admin", `unix:${socket}`, "--metrics", "on"];
      const service = await startService(namespace, ...flags, "--config", config);
      const get = (url: string) =>
        namespace.shell(`curl -s -o /dev/null -w '%{http_code}' --max-time 20 ${url}`);
      const scrape = async (path: string) => {
        const file = folder.file("metrics.txt");
        const read = `curl -s --unix-socket ${socket} http://localhost${path}`;
        const text = await namespace.shell(read);
        writeFileSync(file, text);
        const said = await namespace.shell(`promtool check metrics <${file} 2>&1 || true`);
        return { text, complaints: said.split("\n").filter((line) => line !== "") };
      };
      // The first scrape starts the measurement of requests. The names are those of the kernel, with capitals.
      const { complaints: ofKernelNames } = await scrape("/metrics?names=node_exporter");
      expect(ofKernelNames.filter((line) => !line.includes("not 'camelCase'"))).toEqual([]);
      for (let i = 0; i < 8; i++) {
        expect(await get(`http://${V4}/bytes/1000`)).toBe("200");
        expect(await get(`http://${V4}/nowhere`)).toBe("404");
        expect(await get(`http://${V4}:8080/bytes/1000`)).toBe("200");
      }
      // No host has this address.
      await namespace.shell("curl -s --max-time 0.2 http://10.90.0.99/ || true");
      const { text, complaints } = await scrape("/metrics");
      expect(complaints).toEqual([]);
      const values = (series: string) =>
        text.split("\n").filter((line) => line.startsWith(series))
          .map((line) => Number(line.slice(line.lastIndexOf(" ") + 1)));
      const upstream = 'listen="8080",plugin="forward",upstream=';
      expect(values(`berth_upstream_up{${upstream}"${V4}:80"}`)).toEqual([1]);
      expect(values(`berth_upstream_failures_total{${upstream}"${CLOSED}"}`)[0])
        .toBeGreaterThan(0);
      expect(values(`berth_upstream_connect_duration_seconds_count{${upstream}"${V4}:80"}`))
        .toEqual([8]);
      const requests = 'http_server_request_duration_seconds_count{listen="80",plugin="http"';
      expect(values(`${requests},http_response_status_class="2xx"`)).toEqual([16]);
      expect(values(`${requests},http_response_status_class="4xx"`)).toEqual([8]);
      expect(values('berth_packets_dropped_total{reason="not-ours"}')[0]).toBeGreaterThan(0);
      // All metric families are there except that of faulty plugins.
      const families = [...text.matchAll(/^# TYPE (\S+)/gm)].map(([, name]) => name!);
      const absent = SERVICE_METRICS.map(prometheusName).filter((name) => !families.includes(name));
      expect(absent).toEqual(["berth_plugin_metrics_errors"]);
      service.signal("SIGTERM");
      await service.finish(15_000);
    },
    60_000,
  );
});
