/**
 * The list of a connection's segments, the latest first.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import { count } from "../shared/format.ts";
import { html } from "../shared/html.ts";
import type { LoggedEvent } from "../shared/sequence.ts";

/** Maximum number of segments in the list. */
export const MAX_SEGMENTS = 200;
/** Number of segments that are shown. */
const SHOWN = 40;

/** A segment as the list shows it. */
export interface ListedSegment {
  readonly number: number;
  /** Seconds since the list began. */
  readonly seconds: number;
  readonly isSent: boolean;
  readonly flags: string;
  readonly seq: number;
  readonly ack: number | undefined;
  readonly length: number;
  readonly window: number;
  readonly notes: string;
}

interface SegmentData {
  readonly header: {
    readonly seq: number;
    readonly ack?: number;
    readonly flags: readonly string[];
    readonly window: number;
    readonly length: number;
    readonly segments?: number;
    readonly ecn?: string;
    readonly options?: { readonly sack?: readonly (readonly [number, number])[] };
  };
  readonly trigger?: string;
  readonly drop_reason?: string;
}

/** The latest segments of the event log; sequence numbers count from the first of each side, as in Wireshark. */
export class PacketList {
  #segments: ListedSegment[] = [];
  #count = 0;
  #began: number | undefined;
  #iss = 0;
  #irs = 0;

  /** Adds the segments among the events. */
  take(events: Iterable<LoggedEvent>): void {
    for (const { time, name, data } of events) {
      this.#began ??= time;
      if (name === "tcp:snapshot") {
        ({ iss: this.#iss, irs: this.#irs } = data as { iss: number; irs: number });
      }
      if (name !== "tcp:segment_sent" && name !== "tcp:segment_received") continue;
      this.#add((time - this.#began) / 1000, name === "tcp:segment_sent", data as SegmentData);
    }
    if (this.#segments.length > MAX_SEGMENTS) {
      this.#segments = this.#segments.slice(-MAX_SEGMENTS);
    }
  }

  /** At most `most` of the latest segments, the last one first. */
  latest(most: number): readonly ListedSegment[] {
    return this.#segments.slice(-most).reverse();
  }

  #add(seconds: number, isSent: boolean, { header, trigger, drop_reason }: SegmentData): void {
    const [own, other] = isSent ? [this.#iss, this.#irs] : [this.#irs, this.#iss];
    const { segments = 1, ecn, options } = header;
    const sack = (options?.sack ?? []).map(([from, to]) =>
      `SACK ${(from - other) >>> 0}–${(to - other) >>> 0}`
    );
    this.#segments.push({
      number: ++this.#count,
      seconds,
      isSent,
      flags: header.flags.join(" "),
      seq: (header.seq - own) >>> 0,
      ack: header.ack === undefined ? undefined : (header.ack - other) >>> 0,
      length: header.length,
      window: header.window,
      notes: [
        trigger?.replaceAll("_", " "),
        drop_reason === undefined ? undefined : `dropped: ${drop_reason}`,
        segments > 1 ? `${segments} segments` : undefined,
        ecn,
        ...sack,
      ].filter((note) => note !== undefined).join(", "),
    });
  }
}

/** The table of the latest segments. */
export function Packets({ list, version }: {
  readonly list: PacketList;
  /** Changes with the list. */
  readonly version: number;
}): VNode {
  void version;
  const segments = list.latest(SHOWN);
  const columns = ["Seq", "Ack", "Length", "Window"];
  return html`
    <section>
      <div class="head"><h2 id="segments">Segments</h2>
        <span class="muted">the latest ${SHOWN}</span></div>
      ${segments.length === 0 && html`<p class="none">None yet.</p>`}
      <div class="scroll" tabindex="0" role="region" aria-labelledby="segments">
        <table aria-labelledby="segments">
          <thead>
            <tr>
              <th scope="col" class="number">No.</th><th scope="col" class="number">Time</th>
              <th scope="col">Direction</th><th scope="col">Flags</th>
              ${columns.map((name) => html`<th scope="col" class="number">${name}</th>`)}
              <th scope="col">Notes</th>
            </tr>
          </thead>
          <tbody>
            ${segments.map((one) =>
              html`
                <tr key=${one.number}>
                  <td class="number">${count(one.number)}</td>
                  <td class="number">${one.seconds.toFixed(4)}</td>
                  <td>${one.isSent ? "sent" : "received"}</td>
                  <td>${one.flags}</td>
                  <td class="number">${count(one.seq)}</td>
                  <td class="number">${one.ack === undefined ? "–" : count(one.ack)}</td>
                  <td class="number">${count(one.length)}</td>
                  <td class="number">${count(one.window)}</td>
                  <td>${one.notes}</td>
                </tr>
              `
            )}
          </tbody>
        </table>
      </div>
    </section>
  `;
}
