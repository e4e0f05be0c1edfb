/**
 * The view of one connection.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import { useState } from "preact/hooks";
import { bitRate, bytes, count, duration, milliseconds, text } from "../shared/format.ts";
import { History } from "../shared/history.ts";
import { html } from "../shared/html.ts";
import { Plot } from "../shared/plot.ts";
import { TimeSequence } from "../shared/time_sequence.ts";
import type { Row, Update } from "./api.ts";
import { CaptureButton } from "./capture.ts";
import { ConfirmButton } from "./confirm.ts";
import { SEQUENCE_SPAN, useEventLog } from "./event_log.ts";
import { useLive } from "./live.ts";
import type { ViewProps } from "./overview.ts";
import { Packets } from "./packets.ts";

/** Length of the plots in seconds, at ten updates a second. */
const SPAN = 60;
const EVERY_MS = 100;
/** Updates over which goodput is averaged. */
const GOODPUT_UPDATES = 10;

/** Live plots of a connection and its statistics. */
export function Connection({ api, id, onSignedOut }: ViewProps & { readonly id: string }): VNode {
  const [plots] = useState(() => new ConnectionHistory());
  const query = new URLSearchParams({ everyMs: String(EVERY_MS), limit: "0", watch: id });
  const { update, trouble } = useLive(api, query.toString(), (it) => plots.take(it), onSignedOut);
  const row = update?.watched ?? plots.last;
  const hasEnded = update !== undefined && update.watched === null;
  const version = update?.time ?? 0;
  const size = (value: number) => text(bytes(value));
  const [isPaused, setPaused] = useState(false);
  const log = useEventLog(api, id, isPaused || hasEnded);
  const isSender = (row?.bytesOut ?? 0) >= (row?.bytesIn ?? 0);
  const reset = async () => {
    await api.ask("DELETE", `/connections/${encodeURIComponent(id)}`);
    return "The connection was reset.";
  };
  return html`
    <div class="frame">
      <header class="bar">
        <a class="name" href="#/">berth</a>
        <a href="#/">All connections</a>
        <div class="actions">
          <button aria-pressed=${isPaused} onClick=${() => setPaused(!isPaused)}>
            ${isPaused ? "Continue" : "Pause"}
          </button>
          <${CaptureButton} api=${api} row=${hasEnded ? undefined : row} />
          <${ConfirmButton} label="Reset" title="Reset this connection?" act=${reset}
            disabled=${row === undefined || hasEnded}>
            Both ends learn that it was aborted; what is in transit is lost.
          <//>
        </div>
      </header>
      <main tabindex="-1" aria-label="Connection">
        <section>
          <div class="head">
            <h1 class="mono pair">${(row?.remote ?? id)} → ${row?.local}</h1>
          </div>
          <p class="muted">${describe(row, hasEnded)}</p>
        </section>
        ${trouble !== undefined && html`<p class="notice" role="status">${trouble}</p>`}
        <section aria-label="Time-sequence plot">
          <${TimeSequence} title=${`Time and sequence numbers, ${isSender ? "sent" : "received"}`}
            history=${isSender ? log.sent : log.received} now=${log.seconds} span=${SEQUENCE_SPAN}
            height=${320} />
        </section>
        <div class="plots">
          <${Plot} title="Congestion window" version=${version} span=${SPAN} height=${190}
            least=${1000} columns=${plots.window.columns} format=${size}
            lines=${[
              { label: "cwnd", stroke: "accent" },
              { label: "in flight", stroke: "ink" },
            ]} />
          <${Plot} title="Round-trip time" version=${version} span=${SPAN} height=${190} least=${1}
            lines=${[{ label: "smoothed", stroke: "accent" }]} columns=${plots.rtt.columns}
            format=${(value: number) => text(milliseconds(value))} />
          <${Plot} title="Goodput" version=${version} span=${SPAN} height=${190} least=${1000}
            lines=${[{ label: "sent", stroke: "accent" }, { label: "received", stroke: "ink" }]}
            columns=${plots.goodput.columns} format=${(value: number) => text(bitRate(value))} />
        </div>
        ${row !== undefined && html`<${Numbers} row=${row} />`}
        <${Packets} list=${log.packets} version=${log.seconds} />
      </main>
    </div>
  `;
}

function describe(row: Row | undefined, hasEnded: boolean): string {
  if (row === undefined) return hasEnded ? "The connection is no longer open." : "";
  const facts = [row.plugin ?? "no plugin", `open for ${text(duration(row.ageSeconds))}`];
  return hasEnded
    ? ["ended", ...facts].join(", ")
    : [row.state, ...facts, `waits for: ${row.waitsFor.replaceAll("-", " ")}`].join(", ");
}

/** The data of the plots, for the last {@link SPAN} seconds. */
class ConnectionHistory {
  readonly window: History = new History(2, SPAN * 10);
  readonly rtt: History = new History(1, SPAN * 10);
  readonly goodput: History = new History(2, SPAN * 10);
  last: Row | undefined;
  /** Updates that goodput is computed from. */
  readonly #recent: { readonly seconds: number; readonly row: Row }[] = [];

  take({ time, watched }: Update): void {
    if (watched === undefined || watched === null) return;
    const seconds = time / 1000;
    this.last = watched;
    this.#recent.push({ seconds, row: watched });
    if (this.#recent.length > GOODPUT_UPDATES) this.#recent.shift();
    const [first] = this.#recent;
    const elapsed = seconds - first!.seconds;
    const { cwnd, flightSize, srttMs, bytesIn } = watched;
    const acknowledged = (row: Row) => row.bytesOut - row.flightSize;
    // The fixed limit of the local profile is not a congestion window.
    this.window.add(seconds, cwnd > 2 ** 31 ? null : cwnd, flightSize);
    this.rtt.add(seconds, srttMs > 0 ? srttMs : null);
    if (this.#recent.length < GOODPUT_UPDATES) return;
    this.goodput.add(
      seconds,
      Math.max(0, 8 * (acknowledged(watched) - acknowledged(first!.row)) / elapsed),
      8 * (bytesIn - first!.row.bytesIn) / elapsed,
    );
  }
}

function Numbers({ row }: { readonly row: Row }): VNode {
  const size = (value: number) => text(bytes(value));
  const groups: readonly (readonly (readonly [string, string])[])[] = [
    [
      ["Bytes received", size(row.bytesIn)],
      ["Bytes sent", size(row.bytesOut)],
      ["Segments received", count(row.segmentsIn)],
      ["Segments sent", count(row.segmentsOut)],
    ],
    [
      ["Retransmitted segments", count(row.retransmits)],
      ["Received out of order", count(row.outOfOrder)],
      ["Slow start threshold", size(row.ssthresh)],
      ["Retransmission timeout", text(milliseconds(row.rtoMs))],
    ],
    [
      ["Written, not acknowledged", size(row.unacknowledged)],
      ["Send window", size(row.sendWindow)],
      ["Receive window", size(row.receiveWindow)],
      ["Send MSS", size(row.sendMss)],
    ],
  ];
  return html`
    <section class="columns" aria-label="Statistics">
      ${groups.map((rows) =>
        html`
          <table>
            <tbody>
              ${rows.map(([name, value]) =>
                html`
                  <tr>
                    <th scope="row">${name}</th>
                    <td class="number">${value}</td>
                  </tr>
                `
              )}
            </tbody>
          </table>
        `
      )}
    </section>
  `;
}
