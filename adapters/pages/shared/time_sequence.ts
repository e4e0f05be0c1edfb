/**
 * The time-sequence plot, as tcptrace draws it: each segment is a vertical bar from its first to its last
 * sequence number, between the line of acknowledgements and the edge of the peer's window.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import type uPlot from "uplot";
import { bytes, text } from "./format.ts";
import { html } from "./html.ts";
import { type Colours, Plot } from "./plot.ts";
import type { SequenceHistory } from "./sequence.ts";

/** Properties of {@link TimeSequence}. */
export interface TimeSequenceProps {
  readonly title: string;
  readonly history: SequenceHistory;
  /** The end of the plot in seconds, by the clock of the events. */
  readonly now: number;
  readonly span: number;
  readonly height: number;
}

/** Half the width of the ticks at the ends of a bar, in pixels. */
const TICK = 2.5;

/** Draws what the history holds. */
export function TimeSequence({ title, history, now, span, height }: TimeSequenceProps): VNode {
  const { acks, segments } = history;
  const since = now - span;
  const visible = acks.filter(([time]) => time >= since);
  const columns = [
    [...visible.map(([time]) => time), now],
    [...visible.map(([, ack]) => ack), visible.at(-1)?.[1] ?? null],
    [...visible.map(([, , edge]) => edge), visible.at(-1)?.[2] ?? null],
  ];
  const lowest = Math.min(segments[0]?.[1] ?? Infinity, visible[0]?.[1] ?? Infinity);
  const highest = segments.reduce((most, [, , to]) => Math.max(most, to), visible.at(-1)?.[1] ?? 0);
  const margin = Math.max(1000, (highest - lowest) * 0.06);
  return html`
    <${Plot} title=${title} version=${now} span=${span} height=${height}
      least=${1}
      lines=${[
        { label: "acknowledged", stroke: "accent", stepped: true },
        { label: "window edge", stroke: "dashed", stepped: true },
      ]}
      keys=${[{ label: "segment", mark: "bar" }, { label: "sent again", mark: "again" }]}
      columns=${columns} format=${positionFormat(highest - lowest)}
      range=${Number.isFinite(lowest) ? [lowest - margin, highest + margin] : [0, 1000]}
      draw=${(plot: uPlot, colours: Colours) => drawSegments(plot, colours, history)} />
  `;
}

/** Labels of the vertical axis: a smaller range needs more decimals to tell its ticks apart. */
function positionFormat(range: number): (value: number) => string {
  const decimals = range < 300_000 ? 3 : 2;
  return (value) =>
    value < 1e6 ? text(bytes(Math.max(0, value))) : `${(value / 1e6).toFixed(decimals)} MB`;
}

function drawSegments(plot: uPlot, colours: Colours, { segments, sacks }: SequenceHistory): void {
  const { ctx, bbox } = plot;
  const scale = devicePixelRatio;
  const tick = TICK * scale;
  ctx.save();
  ctx.beginPath();
  ctx.rect(bbox.left, bbox.top, bbox.width, bbox.height);
  ctx.clip();
  const place = (time: number, from: number, to: number) => ({
    x: Math.round(plot.valToPos(time, "x", true)),
    bottom: plot.valToPos(from, "y", true),
    top: plot.valToPos(to, "y", true),
  });
  ctx.strokeStyle = colours.muted;
  ctx.lineWidth = scale;
  ctx.globalAlpha = 0.55;
  ctx.beginPath();
  for (const [time, from, to] of sacks) {
    const { x, bottom, top } = place(time, from, to);
    ctx.moveTo(x, bottom);
    ctx.lineTo(x, top);
  }
  ctx.stroke();
  ctx.globalAlpha = 1;
  for (const isAgain of [false, true]) {
    ctx.strokeStyle = isAgain ? colours.accent : colours.ink;
    ctx.lineWidth = (isAgain ? 2 : 1) * scale;
    ctx.beginPath();
    for (const [time, from, to, again] of segments) {
      if (again !== isAgain) continue;
      const { x, bottom, top } = place(time, from, to);
      ctx.moveTo(x, bottom);
      ctx.lineTo(x, top);
      ctx.moveTo(x - tick, top);
      ctx.lineTo(x + tick, top);
      ctx.moveTo(x - tick, bottom);
      ctx.lineTo(x + tick, bottom);
    }
    ctx.stroke();
  }
  ctx.fillStyle = colours.accent;
  ctx.font = `600 ${11 * scale}px ui-sans-serif, system-ui, sans-serif`;
  ctx.textAlign = "center";
  for (const [time, from, to, again] of segments) {
    if (!again) continue;
    const { x, top } = place(time, from, to);
    ctx.fillText("R", x, top - 4 * scale);
  }
  ctx.restore();
}
