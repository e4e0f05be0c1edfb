/**
 * The table of metrics in `docs/metrics.md`, generated from the definitions.
 *
 * @module
 */
import { NETSTAT_NAMES } from "../../core/api/metrics/netstat.ts";
import { prometheusName } from "../../adapters/service/metrics/prometheus.ts";
import { SERVICE_METRICS } from "../../adapters/service/metrics/service_metrics.ts";

const COLUMNS = ["OpenTelemetry", "Prometheus", "kind", "meaning"];
const TABLE = /^\| OpenTelemetry +\|.*\n(?:\|.*\n)+/m;

/** The page with its table of metrics replaced by that of the code. */
export function withMetricsTable(page: string): string {
  if (!TABLE.test(page)) throw new Error("the page has no table of metrics");
  return page.replace(TABLE, () => metricsTable());
}

/** A row for each metric, padded as `deno fmt` does it. */
export function metricsTable(): string {
  const rows = SERVICE_METRICS.map((definition) => {
    const { name, kind, description } = definition;
    const mib = NETSTAT_NAMES.get(name);
    const meaning = mib === undefined ? description : `${description} \`node_netstat_${mib}\``;
    return [`\`${name}\``, `\`${prometheusName(definition)}\``, kind, meaning];
  });
  const widths = COLUMNS.map((name, i) =>
    Math.max(...[name, ...rows.map((row) => row[i]!)].map(({ length }) => length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |\n`;
  return [line(COLUMNS), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join(
    "",
  );
}
