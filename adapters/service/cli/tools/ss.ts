/**
 * `berth ss`: connections with the columns of ss(8).
 *
 * @module
 */
import type { ConnectionPage, ConnectionRow } from "../../admin/connections.ts";
import { tableOf } from "../table.ts";
import { connectionFilter } from "./connection_filter.ts";
import type { Tool } from "./tool.ts";

/** Number of rows per request. */
const PAGE = 10_000;

/** The command. */
export const SS: Tool = {
  help: "connections, like ss -ti: [-i] [FILTER], such as state established dport :443",
  usage: "[-i] [--json] [FILTER]",
  flags: {
    info: { short: "i", help: "a second line with RTT, windows and counters" },
    json: { help: "print the rows of the admin API as JSON" },
    tcp: { short: "t", help: "accepted as in ss(8): all connections are TCP" },
    numeric: { short: "n", help: "accepted as in ss(8): addresses are always numeric" },
  },
  check: ({ words }) => void connectionFilter(words),
  async run({ flags, words, service, out, signal }) {
    const select = connectionFilter(words);
    const rows: ConnectionRow[] = [];
    for (let offset = 0; !signal.aborted; offset += PAGE) {
      const page = await service.ask<ConnectionPage>(
        "GET",
        `/connections?limit=${PAGE}&offset=${offset}`,
      );
      rows.push(...page.connections.filter(select));
      if (offset + PAGE >= page.total) break;
    }
    await out.write(`${flags["json"] ? JSON.stringify(rows, null, 2) : format(rows, flags)}\n`);
  },
};

function format(
  rows: readonly ConnectionRow[],
  { info }: Readonly<Record<string, unknown>>,
): string {
  const [head, ...lines] = tableOf(
    ["State", "Recv-Q", "Send-Q", "Local Address:Port", "Peer Address:Port", "Waits for", "Plugin"],
    rows.map((row) => [
      ...[shownState(row.state), row.unread, row.unacknowledged, row.local, row.remote],
      ...[row.waitsFor, row.plugin ?? "-"],
    ]),
  ).split("\n");
  const shown = lines.flatMap((line, i) => info ? [line, `\t ${infoOf(rows[i]!)}`] : [line]);
  return [head, ...shown].join("\n");
}

/** The name of a state as ss(8) writes it. */
function shownState(state: string): string {
  if (state === "ESTABLISHED") return "ESTAB";
  return state === "SYN-RECEIVED" ? "SYN-RECV" : state;
}

/** The line of `ss -i`. */
function infoOf(row: ConnectionRow): string {
  const { srttMs, rttvarMs, rtoMs, cwnd, sendMss, ssthresh, flightSize } = row;
  const perSecond = srttMs > 0 ? cwnd * 8000 / srttMs : 0;
  return [
    `rto:${round(rtoMs)}`,
    srttMs > 0 && `rtt:${round(srttMs)}/${round(rttvarMs)}`,
    `mss:${sendMss}`,
    `cwnd:${Math.round(cwnd / sendMss)}`,
    Number.isFinite(ssthresh) && ssthresh !== null && `ssthresh:${Math.round(ssthresh / sendMss)}`,
    `bytes_sent:${row.bytesOut}`,
    `bytes_received:${row.bytesIn}`,
    `segs_out:${row.segmentsOut}`,
    `segs_in:${row.segmentsIn}`,
    perSecond > 0 && `send ${Math.round(perSecond)}bps`,
    flightSize > 0 && `unacked:${flightSize}`,
    row.retransmits > 0 && `retrans:${row.retransmits}`,
    row.outOfOrder > 0 && `reord:${row.outOfOrder}`,
    `snd_wnd:${row.sendWindow}`,
    `rcv_wnd:${row.receiveWindow}`,
    `age:${row.ageSeconds}s`,
  ].filter((part) => part !== false).join(" ");
}

function round(ms: number): number {
  return Math.round(ms * 1000) / 1000;
}
