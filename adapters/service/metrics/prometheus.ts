/**
 * Metrics as the text that Prometheus reads (the text format 0.0.4). Written without an SDK, whose aggregation of
 * values that are sums already took most of the time of a scrape.
 *
 * @module
 */
import type {
  HistogramValue,
  Metric,
  MetricAttributes,
  MetricDefinition,
} from "../../../core/api/metrics/metric.ts";
import { NETSTAT_NAMES } from "../../../core/api/metrics/netstat.ts";

/** Prometheus names have the unit at their end. */
const SUFFIXES: Readonly<Record<string, string>> = { s: "_seconds", By: "_bytes" };

/** The name of a metric in the text, without the endings of a histogram's series. */
export function prometheusName({ name, kind, unit }: MetricDefinition): string {
  return validName(name) + (SUFFIXES[unit] ?? "") + (kind === "counter" ? "_total" : "");
}

/** Maximum number of metrics in the text; plugins can have their own. */
export const MAX_FAMILIES = 500;

/**
 * The text. With `"node_exporter"` the counters of TCP, IP, UDP and ICMP have the names of node_exporter
 * (`node_netstat_Tcp_InSegs`), for dashboards that exist, and the other metrics are absent. Of metrics whose
 * names differ only in characters that Prometheus does not permit, the first is in the text.
 */
export function prometheusText(
  metrics: Iterable<Metric>,
  names: "berth" | "node_exporter" = "berth",
): string {
  const families = new Map<string, string>();
  for (const metric of metrics) {
    if (families.size >= MAX_FAMILIES) break;
    const mib = NETSTAT_NAMES.get(metric.name);
    if (names === "node_exporter" && mib === undefined) continue;
    const name = names === "berth" ? prometheusName(metric) : `node_netstat_${mib}`;
    if (families.has(name) || metric.points.length === 0) continue;
    families.set(
      name,
      names === "berth"
        ? family(name, metric)
        : family(name, { ...metric, kind: "gauge", description: `Statistic ${mib}.` }),
    );
  }
  return [...families.values()].join("");
}

function family(name: string, { kind, description, points }: Metric): string {
  let text = `# HELP ${name} ${escapedHelp(description)}\n# TYPE ${name} ${kind}\n`;
  for (const { attributes, value } of points) {
    const labels = labelsOf(attributes);
    text += typeof value === "number"
      ? `${name}${labels === "" ? "" : `{${labels}}`} ${numberText(value)}\n`
      : histogramText(name, labels, value);
  }
  return text;
}

/** The buckets with all values up to their bounds, and the totals. */
function histogramText(
  name: string,
  labels: string,
  { bounds, counts, sums }: HistogramValue,
): string {
  const before = labels === "" ? "" : `${labels},`;
  let text = "";
  let count = 0;
  let sum = 0;
  for (let bucket = 0; bucket <= bounds.length; bucket++) {
    count += counts[bucket] ?? 0;
    sum += sums[bucket] ?? 0;
    const bound = bucket < bounds.length ? numberText(bounds[bucket]!) : "+Inf";
    text += `${name}_bucket{${before}le="${bound}"} ${numberText(count)}\n`;
  }
  const braces = labels === "" ? "" : `{${labels}}`;
  return `${text}${name}_sum${braces} ${numberText(sum)}\n${name}_count${braces} ${
    numberText(count)
  }\n`;
}

/** Names and values, with commas between them. Two of one name would make the whole text invalid. */
function labelsOf(attributes: MetricAttributes): string {
  const labels: string[] = [];
  let text = "";
  for (const name in attributes) {
    const label = labelName(name);
    if (labels.includes(label)) continue;
    labels.push(label);
    if (text !== "") text += ",";
    text += `${label}="${escapedValue(attributes[name]!)}"`;
  }
  return text;
}

const LABEL_NAMES = new Map<string, string>();

/** The names of labels are few, and the same at each scrape. */
function labelName(name: string): string {
  let known = LABEL_NAMES.get(name);
  if (known === undefined) {
    known = validName(name).replaceAll(":", "_");
    if (LABEL_NAMES.size < MAX_FAMILIES) LABEL_NAMES.set(name, known);
  }
  return known;
}

/** A name of the characters that Prometheus permits. */
function validName(name: string): string {
  const valid = name.replace(/[^\w:]/g, "_");
  return /^\d/.test(valid) || valid === "" ? `_${valid}` : valid;
}

function escapedValue(value: string): string {
  return /[\\"\n]/.test(value) ? value.replace(/[\\"]/g, "\\$&").replaceAll("\n", "\\n") : value;
}

function escapedHelp(text: string): string {
  return /[\\\n]/.test(text) ? text.replaceAll("\\", "\\\\").replaceAll("\n", "\\n") : text;
}

function numberText(value: number): string {
  if (Number.isFinite(value)) return String(value);
  return Number.isNaN(value) ? "NaN" : value > 0 ? "+Inf" : "-Inf";
}
