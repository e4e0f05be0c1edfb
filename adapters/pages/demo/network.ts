/**
 * The demo network on a page: the picture of the path, its sliders, and live plots.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { bitRate, bytes, count, milliseconds, text } from "../shared/format.ts";
import { History } from "../shared/history.ts";
import { html } from "../shared/html.ts";
import { Plot } from "../shared/plot.ts";
import { SequenceHistory } from "../shared/sequence.ts";
import { TimeSequence } from "../shared/time_sequence.ts";
import { PathPicture } from "./path_picture.ts";
import { PathSliders } from "./path_sliders.ts";
import type { DemoPath, DemoSample, DemoSource } from "./source.ts";

const SPAN = 30;
const SEQUENCE_SPAN = 1.5;
const MAX_POINTS = 8000;
const SAMPLES = SPAN * 12;
/** Samples over which goodput is averaged: one second. */
const GOODPUT_SAMPLES = 10;

/** Two hosts and a path between them. */
export function Network({ source }: { readonly source: DemoSource }): VNode {
  const [history] = useState(() => new NetworkHistory());
  const [sample, setSample] = useState<DemoSample | undefined>(undefined);
  const [isHidden, setHidden] = useState(document.hidden);
  useEffect(() => {
    const changed = () => setHidden(document.hidden);
    document.addEventListener("visibilitychange", changed);
    return () => document.removeEventListener("visibilitychange", changed);
  }, []);
  useEffect(() => {
    if (isHidden) return;
    const stopping = new AbortController();
    source.follow((sample) => {
      history.take(sample);
      setSample(sample);
    }, stopping.signal);
    return () => stopping.abort();
  }, [source, isHidden]);
  const now = sample?.seconds ?? 0;
  const size = (value: number) => text(bytes(value));
  return html`
    <section class="network" aria-label="The demo network">
      <${PathPicture} sample=${sample} goodput=${history.goodput.last(0)} />
      <${PathSliders} path=${sample?.path} onChange=${(path: Partial<DemoPath>) =>
        source.set(path)} />
      <div class="network-plots">
        <${TimeSequence} title="Time and sequence numbers" history=${history.sequence} now=${now}
          span=${SEQUENCE_SPAN} height=${396} />
        <div class="stack">
          <${Plot} title="Congestion window" version=${now} span=${SPAN} height=${112}
            least=${20_000}
            lines=${[{ label: "cwnd", stroke: "accent" }, { label: "in flight", stroke: "ink" }]}
            columns=${history.window.columns} format=${size} />
          <${Plot} title="Round-trip time" version=${now} span=${SPAN} height=${112}
            least=${20}
            lines=${[{ label: "smoothed", stroke: "accent" }]} columns=${history.rtt.columns}
            format=${(value: number) => text(milliseconds(value))} />
          <${Plot} title="Goodput" version=${now} span=${SPAN} height=${112}
            least=${500_000}
            lines=${[{ label: "received", stroke: "accent", fill: true }]}
            columns=${history.goodput.columns}
            format=${(value: number) => text(bitRate(value))} />
        </div>
      </div>
      <p class="muted">
        ${count(sample?.packets.sent ?? 0)} packets sent,
        ${" "}${count(sample?.packets.lost ?? 0)} lost on the path,
        ${" "}${count(sample?.packets.dropped ?? 0)} dropped at the queue,
        ${" "}${count(sample?.sender.retransmits ?? 0)} segments retransmitted
      </p>
    </section>
  `;
}

/** The data of the plots. */
class NetworkHistory {
  readonly window: History = new History(2, SAMPLES);
  readonly rtt: History = new History(1, SAMPLES);
  readonly goodput: History = new History(1, SAMPLES);
  readonly sequence: SequenceHistory = new SequenceHistory(SEQUENCE_SPAN, MAX_POINTS);
  readonly #recent: DemoSample[] = [];

  take(sample: DemoSample): void {
    const { seconds, sender, bytesReceived, points } = sample;
    this.#recent.push(sample);
    if (this.#recent.length > GOODPUT_SAMPLES) this.#recent.shift();
    const [first] = this.#recent;
    const elapsed = seconds - first!.seconds;
    this.window.add(seconds, sender.cwnd, sender.flightSize);
    this.rtt.add(seconds, sender.srttMs > 0 ? sender.srttMs : null);
    const bits = 8 * (bytesReceived - first!.bytesReceived);
    this.goodput.add(seconds, elapsed > 0.3 ? Math.max(0, bits / elapsed) : null);
    this.sequence.add(points, seconds);
  }
}
