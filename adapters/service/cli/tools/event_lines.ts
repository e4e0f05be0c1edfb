/**
 * Formats the events of a TCP event log as lines of text; segments look as in tcpdump(1).
 *
 * @module
 */
import type {
  RecoveryMetrics,
  SegmentHeader,
  TcpEvent,
  TcpFlagName,
} from "../../../../core/tcp/event_log/events.ts";
import { formatHostPort } from "../../../../core/api/host_port.ts";

const FLAG_LETTERS: Readonly<Record<TcpFlagName, string>> = {
  SYN: "S",
  FIN: "F",
  RST: "R",
  PSH: "P",
  URG: "U",
  ECE: "E",
  CWR: "W",
  ACK: ".",
};
const INDENT = " ".repeat(16);

/** Names of the metrics, and whether each is shown without `verbose`. */
const METRICS: Readonly<Partial<Record<keyof RecoveryMetrics | "latest_rtt", [string, boolean]>>> =
  {
    congestion_window: ["cwnd", true],
    ssthresh: ["ssthresh", true],
    latest_rtt: ["rtt", true],
    smoothed_rtt: ["srtt", true],
    rto: ["rto", true],
    rto_backoff: ["backoff", true],
    bytes_in_flight: ["in flight", false],
    rtt_variance: ["rttvar", false],
    min_rtt: ["min rtt", false],
    pacing_rate: ["pacing", false],
    send_window: ["window", false],
    send_mss: ["mss", true],
  };

/** Options of {@link EventLines}. */
export interface EventLinesOptions {
  /** Milliseconds since 1970 at time 0 of the log. */
  readonly clockStarted: number;
  /** Whether to show timers, and metrics that change with each segment. */
  readonly verbose: boolean;
}

/** Formats the events of one log, with sequence numbers relative to the first. */
export class EventLines {
  readonly #options: EventLinesOptions;
  #iss = 0;
  #irs = 0;
  #local = "";
  #remote = "";

  constructor(options: EventLinesOptions) {
    this.#options = options;
  }

  /** The line of an event; `undefined` if the event is not shown. */
  format(event: TcpEvent): string | undefined {
    const { name, data, time } = event;
    switch (name) {
      case "tcp:snapshot":
        this.#iss = data.iss;
        this.#irs = data.irs;
        this.#local = endpoint(data.local);
        this.#remote = endpoint(data.remote);
        return `${this.#at(time)} ${this.#local} > ${this.#remote}: ${data.state}, ` +
          `${data.congestion_control}, ${metricsText(data.metrics, true)}`;
      case "tcp:segment_sent": {
        const note = data.trigger === undefined ? "" : `  [${data.trigger.replaceAll("_", " ")}]`;
        return `${this.#at(time)} ${this.#local} > ${this.#remote}: ` +
          segmentText(data.header, this.#iss, this.#irs) + note;
      }
      case "tcp:segment_received": {
        if (data.header.flags.includes("SYN")) this.#irs = data.header.seq;
        const note = data.drop_reason === undefined ? "" : `  [dropped: ${data.drop_reason}]`;
        return `${this.#at(time)} ${this.#remote} > ${this.#local}: ` +
          segmentText(data.header, this.#irs, this.#iss) + note;
      }
      default: {
        const text = this.#detail(event);
        return text === undefined ? undefined : INDENT + text;
      }
    }
  }

  #detail({ name, data }: TcpEvent): string | undefined {
    const { verbose } = this.#options;
    switch (name) {
      case "tcp:events_dropped":
        return `${data.count} events are missing: this reader was too slow`;
      case "tcp:data_acknowledged":
        return verbose || data.sacked > 0
          ? `acknowledged ${data.acked}, up to ${relative(data.snd_una, this.#iss)}, ` +
            `sacked ${data.sacked}`
          : undefined;
      case "tcp:data_lost":
        return `lost ${relative(data.start, this.#iss)}:${relative(data.end, this.#iss)} ` +
          `(${data.trigger.replaceAll("_", " ")})`;
      case "tcp:recovery_metrics_updated": {
        const text = metricsText(data, verbose);
        return text === "" ? undefined : text;
      }
      case "tcp:congestion_state_updated": {
        const why = data.trigger === undefined ? "" : ` (${data.trigger})`;
        return `${data.old} > ${data.new}${why}`.replaceAll("_", " ");
      }
      case "tcp:connection_state_updated":
        return `${data.old} > ${data.new}${data.error === undefined ? "" : `: ${data.error}`}`;
      case "tcp:timer_updated": {
        if (!verbose && data.event_type !== "expired") return undefined;
        const when = data.delta === undefined ? "" : ` for ${data.delta} ms`;
        return `timer ${data.timer_type.replaceAll("_", " ")} ${data.event_type}${when}`;
      }
      case "tcp:data_written":
        return `application wrote ${data.length}, not sent ${data.unsent}`;
      case "tcp:data_read":
        return `application read ${data.length}, unread ${data.unread}`;
      default:
        return undefined;
    }
  }

  /** The time of day, as tcpdump shows it. */
  #at(time: number): string {
    const ms = this.#options.clockStarted + time;
    const date = new Date(ms);
    const two = (value: number) => String(value).padStart(2, "0");
    const micros = String(Math.floor((ms % 1000) * 1000)).padStart(6, "0");
    return `${two(date.getHours())}:${two(date.getMinutes())}:${two(date.getSeconds())}.${micros}`;
  }
}

function segmentText(header: SegmentHeader, own: number, other: number): string {
  const { seq, ack, flags, window, length, segments, ecn, options = {} } = header;
  const isSyn = flags.includes("SYN");
  const start = isSyn ? seq : relative(seq, own);
  const letters = flags.map((flag) => FLAG_LETTERS[flag]).sort((a, b) =>
    Number(a === ".") - Number(b === ".")
  ).join("");
  const sack = options.sack?.map(([from, to]) => `${relative(from, other)}:${relative(to, other)}`);
  const parts = [
    `Flags [${letters || "none"}]`,
    length > 0 || isSyn || flags.includes("FIN")
      ? `seq ${start}${length > 0 ? `:${relative(seq, own) + length}` : ""}`
      : undefined,
    ack === undefined ? undefined : `ack ${relative(ack, other)}`,
    `win ${window}`,
    options.mss === undefined ? undefined : `mss ${options.mss}`,
    sack === undefined ? undefined : `sack ${sack.join(" ")}`,
    ecn,
    `length ${length}`,
    segments === undefined ? undefined : `${segments} segments`,
  ];
  return parts.filter((part) => part !== undefined).join(", ");
}

/** A sequence number relative to the initial one; the first byte has number 1. */
function relative(seq: number, initial: number): number {
  return (seq - initial) >>> 0;
}

function metricsText(
  metrics: Partial<RecoveryMetrics> & { readonly latest_rtt?: number },
  verbose: boolean,
): string {
  return Object.entries(METRICS).flatMap(([key, [name, isAlways]]) => {
    const value = metrics[key as keyof RecoveryMetrics];
    if (value === undefined || !(verbose || isAlways)) return [];
    return [`${name} ${value === null ? "-" : Math.round(value * 1000) / 1000}`];
  }).join(", ");
}

function endpoint({ address, port }: { readonly address: string; readonly port: number }): string {
  return formatHostPort({ hostname: address, port });
}
