/**
 * A plot over time.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import uPlot from "uplot";
import { html } from "./html.ts";

/** How a line is drawn; the accent colour marks the main line of a plot. */
export type Stroke = "accent" | "ink" | "dashed";

/** A line of a plot. */
export interface Line {
  readonly label: string;
  readonly stroke: Stroke;
  readonly fill?: boolean;
  /** Draws a step at each value instead of a slope between values. */
  readonly stepped?: boolean;
}

/** An entry of the legend besides those of the lines. */
export interface Key {
  readonly label: string;
  readonly mark: "bar" | "again";
}

/** Properties of {@link Plot}. */
export interface PlotProps {
  readonly title: string;
  readonly lines: readonly Line[];
  /** The time in seconds first, then a column for each line. */
  readonly columns: readonly (readonly (number | null)[])[];
  /** Changes with the columns, which may be the same arrays. */
  readonly version: number;
  readonly format: (value: number) => string;
  readonly height: number;
  /** Length of the horizontal axis in seconds; `null` for all values. */
  readonly span: number | null;
  /** Draws additional marks on the canvas. */
  readonly draw?: ((plot: uPlot, colours: Colours) => void) | undefined;
  /** The smallest range of the vertical axis, which begins at 0. */
  readonly least: number;
  /** A fixed range of the vertical axis; without it, the axis begins at 0 and grows with the values. */
  readonly range?: readonly [number, number] | undefined;
  /** Entries of the legend for what `draw` adds. */
  readonly keys?: readonly Key[] | undefined;
  /** Labels of the horizontal axis, which ends at `end`; without it, the labels are seconds before `end`. */
  readonly xFormat?: (value: number, end: number) => string;
}

/** The current colours of the page. */
export interface Colours {
  readonly ink: string;
  readonly muted: string;
  readonly line: string;
  readonly accent: string;
  readonly faint: string;
  readonly paper: string;
}

/** The colours of the style sheet, which depend on the reader's preference for dark or light. */
export function coloursOf(element: Element): Colours {
  const style = getComputedStyle(element);
  const value = (name: string) => style.getPropertyValue(`--${name}`).trim();
  return {
    ink: value("ink"),
    muted: value("muted"),
    line: value("line"),
    accent: value("accent"),
    faint: value("faint"),
    paper: value("paper"),
  };
}

/** Shows the columns; follows the width of its container and the colours of the page. */
export function Plot(props: PlotProps): VNode {
  const { title, lines, keys = [], height, version } = props;
  const place = useRef<HTMLDivElement>(null);
  const plot = useRef<uPlot | undefined>(undefined);
  const latest = useRef(props);
  latest.current = props;
  useEffect(() => {
    const element = place.current!;
    const create = () => {
      plot.current?.destroy();
      plot.current = new uPlot(
        optionsOf(latest, coloursOf(element), element.clientWidth, height),
        dataOf(latest.current),
        element,
      );
    };
    create();
    const resized = new ResizeObserver(() => {
      const width = element.clientWidth;
      if (width !== plot.current?.width) plot.current?.setSize({ width, height });
    });
    resized.observe(element);
    const dark = matchMedia("(prefers-color-scheme: dark)");
    dark.addEventListener("change", create);
    return () => {
      dark.removeEventListener("change", create);
      resized.disconnect();
      plot.current?.destroy();
    };
  }, [height, lines.length]);
  useEffect(() => plot.current?.setData(dataOf(props)), [version]);
  return html`
    <figure class="plot">
      <figcaption>
        <strong>${title}</strong>
        ${(lines.length > 1 ? lines : []).map((line) =>
          html`
            <span class="key"><${Sample} stroke=${line.stroke} />${line.label}</span>
          `
        )}
        ${keys.map(({ label, mark }) =>
          html`
            <span class="key"><${Bar} isAgain=${mark === "again"} />${label}</span>
          `
        )}
      </figcaption>
      <div class="canvas" ref=${place} role="img" aria-label=${describe(props)}></div>
    </figure>
  `;
}

/** A short line for the legend, drawn as in the plot. */
function Sample({ stroke }: { readonly stroke: Stroke }): VNode {
  const colour = stroke === "accent" ? "var(--accent)" : "var(--muted)";
  return html`
    <svg viewBox="0 0 18 8" aria-hidden="true">
      <line x1="0" y1="4" x2="18" y2="4" stroke=${colour}
        stroke-width=${stroke === "accent" ? 2.5 : 1.5}
        stroke-dasharray=${stroke === "dashed" ? "3 3" : undefined} />
    </svg>
  `;
}

/** A bar with ticks for the legend, drawn as a segment in a time-sequence plot. */
function Bar({ isAgain }: { readonly isAgain: boolean }): VNode {
  return html`
    <svg viewBox="0 0 18 8" aria-hidden="true">
      <path d="M9 -2 V10 M6 -2 H12 M6 10 H12" fill="none" stroke-width=${isAgain ? 2.5 : 1.5}
        stroke=${isAgain ? "var(--accent)" : "var(--ink)"} />
    </svg>
  `;
}

function describe({ title, lines, columns, format }: PlotProps): string {
  const values = lines.map(({ label }, index) => {
    const value = columns[index + 1]?.at(-1);
    return `${label} ${value === null || value === undefined ? "unknown" : format(value)}`;
  });
  return `${title}: ${values.join(", ")}`;
}

function dataOf({ columns }: PlotProps): uPlot.AlignedData {
  return columns as unknown as uPlot.AlignedData;
}

function optionsOf(
  latest: { readonly current: PlotProps },
  colours: Colours,
  width: number,
  height: number,
): uPlot.Options {
  const { lines, span, least, xFormat = ago } = latest.current;
  const axis: uPlot.Axis = {
    stroke: colours.muted,
    font: "11px ui-sans-serif, system-ui, sans-serif",
    ticks: { show: false },
    grid: { stroke: colours.line, width: 1 },
  };
  return {
    width,
    height,
    padding: [8, 16, 0, 0],
    cursor: { show: false },
    legend: { show: false },
    select: { show: false, left: 0, top: 0, width: 0, height: 0 },
    scales: {
      x: {
        time: false,
        range: (_, min, max) => span === null ? [min ?? 0, max ?? 1] : [max - span, max],
      },
      y: {
        range: (_, __, max) => {
          const [from, to] = latest.current.range ?? [0, Math.max(least, (max ?? 0) * 1.1)];
          return [from, to];
        },
      },
    },
    axes: [
      {
        ...axis,
        grid: { show: false },
        size: 24,
        gap: 4,
        space: 70,
        // Ticks stay at fixed positions while the plot moves.
        ...span !== null && {
          splits: (_plot, _axis, _min, max) =>
            [1, 2 / 3, 1 / 3, 0].map((part) => max - part * span),
        },
        values: (plot, ticks) => ticks.map((tick) => xFormat(tick, plot.scales["x"]!.max ?? 0)),
      },
      {
        ...axis,
        size: 60,
        gap: 6,
        space: 36,
        values: (_, ticks) => ticks.map((tick) => shortened(latest.current.format(tick))),
      },
    ],
    series: [{}, ...lines.map((line) => seriesOf(line, colours))],
    hooks: { draw: [(plot) => latest.current.draw?.(plot, colours)] },
  };
}

function ago(tick: number, end: number): string {
  const seconds = end - tick;
  if (seconds < 0.05) return "now";
  return `−${
    Number.isInteger(Math.round(seconds * 10) / 10) ? Math.round(seconds) : seconds.toFixed(1)
  } s`;
}

/** Removes zeros at the end: "2.50 MB" becomes "2.5 MB". */
function shortened(text: string): string {
  return text.replace(/(\.\d*?)0+(?= |$)/, "$1").replace(/\.(?= |$)/, "");
}

function seriesOf({ label, stroke, fill, stepped }: Line, colours: Colours): uPlot.Series {
  return {
    label,
    stroke: stroke === "accent" ? colours.accent : colours.muted,
    width: stroke === "accent" ? 2 : 1.25,
    points: { show: false },
    ...stroke === "dashed" && { dash: [4, 3] },
    ...fill && { fill: colours.faint },
    ...stepped && { paths: uPlot.paths.stepped!({ align: 1 }) },
  };
}
