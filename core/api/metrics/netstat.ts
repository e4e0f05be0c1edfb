/**
 * Counters of TCP, IP, UDP and ICMP by their names in the MIBs (RFC 4022, 4113, 4293) and in Linux's
 * `/proc/net/snmp` and `netstat`.
 *
 * @module
 */
import type { Stats } from "../../stack/stats.ts";
import type { TcpCounts } from "../../tcp/tcp_counts.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import { type Metric, type MetricDefinition, metricOf } from "./metric.ts";

/** Where the counters come from. */
export interface NetstatSource {
  readonly stats: Stats;
  readonly tcp: Readonly<TcpCounts>;
}

type Row = readonly [
  name: string,
  kind: "counter" | "gauge",
  description: string,
  read: (source: NetstatSource) => number,
];

const drops = (...reasons: readonly DropReason[]) => ({ stats }: NetstatSource) =>
  reasons.reduce((sum, reason) => sum + stats.dropped(reason), 0);

const ROWS: readonly Row[] = [
  ["Tcp_ActiveOpens", "counter", "Connections opened by this side.", (s) => s.stats.activeOpens],
  [
    "Tcp_PassiveOpens",
    "counter",
    "Connections opened by peers.",
    (s) => s.stats.connectionsOpened - s.stats.activeOpens,
  ],
  ["Tcp_EstabResets", "counter", "Connections reset by peers.", (s) => s.stats.connectionsReset],
  [
    "Tcp_CurrEstab",
    "gauge",
    "Connections in ESTABLISHED or CLOSE-WAIT.",
    ({ tcp: { states } }) => states.ESTABLISHED + states["CLOSE-WAIT"],
  ],
  ["Tcp_InSegs", "counter", "Segments received for connections.", (s) => s.tcp.segmentsIn],
  [
    "Tcp_OutSegs",
    "counter",
    "Segments sent on connections, retransmissions included.",
    (s) => s.tcp.segmentsOut,
  ],
  ["Tcp_RetransSegs", "counter", "Segments retransmitted.", (s) => s.tcp.retransmits],
  [
    "Tcp_InErrs",
    "counter",
    "Segments dropped because they are malformed.",
    drops("tcp-short", "tcp-offset", "tcp-checksum", "tcp-port"),
  ],
  ["Tcp_OutRsts", "counter", "Segments sent with RST.", (s) => s.stats.resetsSent],
  [
    "TcpExt_ListenDrops",
    "counter",
    "Connections dropped or evicted because a backlog was full.",
    (s) =>
      drops("tcp-backlog", "tcp-connections")(s) + s.stats.halfOpenEvicted + s.stats.readyEvicted,
  ],
  ["TcpExt_SyncookiesSent", "counter", "SYN cookies sent.", (s) => s.stats.synCookiesSent],
  [
    "TcpExt_SyncookiesRecv",
    "counter",
    "SYN cookies returned by a valid ACK.",
    (s) => s.stats.synCookiesReturned,
  ],
  ["Ip_InReceives", "counter", "Packets received.", (s) => s.stats.packetsIn],
  ["Ip_OutRequests", "counter", "Packets sent.", (s) => s.stats.packetsOut],
  [
    "Ip_InHdrErrors",
    "counter",
    "Packets dropped because of their IP header.",
    drops(
      ...["ip-short", "ip-version", "ip-header", "ip-checksum", "ip-option"] as const,
      ...["ip-source-route", "ip-extension"] as const,
    ),
  ],
  [
    "Ip_InAddrErrors",
    "counter",
    "Packets dropped because of their addresses.",
    drops("not-ours", "ip-source", "ip-destination", "ip-own-source"),
  ],
  ["Ip_InUnknownProtos", "counter", "Packets of an unknown protocol.", drops("protocol")],
  ["Ip_ReasmOKs", "counter", "Packets reassembled from fragments.", (s) => s.stats.reassembled],
  [
    "Ip_ReasmFails",
    "counter",
    "Fragments dropped.",
    drops(
      ...["ip-fragment-length", "ip-fragment-size", "ip-fragment-header"] as const,
      ...["ip-fragment-overlap", "ip-fragment-ecn", "ip-fragment-timeout"] as const,
      "ip-fragment-limit",
    ),
  ],
  ["IpExt_InOctets", "counter", "Bytes of packets received.", (s) => s.stats.bytesIn],
  ["IpExt_OutOctets", "counter", "Bytes of packets sent.", (s) => s.stats.bytesOut],
  ["Icmp_OutEchoReps", "counter", "Echo replies sent.", (s) => s.stats.echoReplies],
  [
    "Icmp_OutMsgs",
    "counter",
    "Echo replies and errors sent.",
    (s) => s.stats.echoReplies + s.stats.errorsSent,
  ],
  [
    "Icmp_InErrors",
    "counter",
    "ICMP messages dropped because they are malformed.",
    drops("icmp-short", "icmp-checksum"),
  ],
  ["Udp_InDatagrams", "counter", "Datagrams delivered.", (s) => s.stats.datagramsIn],
  ["Udp_OutDatagrams", "counter", "Datagrams sent.", (s) => s.stats.datagramsOut],
  ["Udp_NoPorts", "counter", "Datagrams for a port without a listener.", drops("udp-port")],
  [
    "Udp_InErrors",
    "counter",
    "Datagrams dropped because they are malformed.",
    drops("udp-short", "udp-length", "udp-checksum"),
  ],
  [
    "Udp_RcvbufErrors",
    "counter",
    "Datagrams dropped because a receive queue was full.",
    drops("udp-queue", "udp-memory"),
  ],
];

const UNITS: Readonly<Record<string, string>> = {
  Tcp: "{segment}",
  TcpExt: "{connection}",
  Ip: "{packet}",
  IpExt: "{octet}",
  Icmp: "{message}",
  Udp: "{datagram}",
};

/** The name of a metric for a counter of the MIBs: `berth.tcp.in_segs` for `Tcp_InSegs`. */
export function netstatName(mib: string): string {
  const [group = "", name = ""] = mib.split("_");
  const layer = group.replace("Ext", "").toLowerCase();
  return `berth.${layer}.${name.replace(/(?<=[a-z])(?=[A-Z])/g, "_").toLowerCase()}`;
}

/** The name in the MIB for each metric name. */
export const NETSTAT_NAMES: ReadonlyMap<string, string> = new Map(
  ROWS.map(([mib]) => [netstatName(mib), mib]),
);

const DEFINITIONS = ROWS.map(([mib, kind, description, read]) => ({
  read,
  definition: {
    name: netstatName(mib),
    kind,
    unit: UNITS[mib.slice(0, mib.indexOf("_"))]!,
    description,
  } satisfies MetricDefinition,
}));

/** All metrics of {@link netstatMetrics}. */
export const NETSTAT_METRICS: readonly MetricDefinition[] = DEFINITIONS.map((each) =>
  each.definition
);

/** A snapshot of the counters. */
export function netstatMetrics(source: NetstatSource): Metric[] {
  return DEFINITIONS.map(({ definition, read }) => metricOf(definition, [[{}, read(source)]]));
}
