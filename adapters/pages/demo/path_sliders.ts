/**
 * Sliders for delay, loss and bandwidth.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import { useEffect, useState } from "preact/hooks";
import { bitRate, text } from "../shared/format.ts";
import { html } from "../shared/html.ts";
import type { DemoPath } from "./source.ts";

/** A slider from 0 to {@link STEPS}, with the conversion between positions and values. */
interface Slider {
  readonly key: keyof DemoPath;
  readonly name: string;
  readonly valueAt: (position: number) => number;
  readonly positionOf: (value: number) => number;
  readonly show: (value: number) => string;
}

const STEPS = 200;
/**
 * How long a slider keeps its position after a change, in milliseconds, because samples in transit still have the old
 * value.
 */
const HOLD_MS = 600;

const SLIDERS: readonly Slider[] = [
  {
    key: "delayMs",
    name: "Delay, each way",
    ...logarithmic(1, 250),
    show: (value) => `${value < 10 ? value.toFixed(1) : value.toFixed(0)} ms`,
  },
  {
    key: "loss",
    name: "Loss",
    // Cubic, because most interesting values are below 2 %.
    valueAt: (position) => 0.2 * (position / STEPS) ** 3,
    positionOf: (value) => STEPS * Math.cbrt(value / 0.2),
    show: (value) => `${(value * 100).toFixed(value < 0.01 ? 2 : 1)} %`,
  },
  {
    key: "bitsPerSecond",
    name: "Bandwidth",
    ...logarithmic(250_000, 20_000_000),
    show: (value) => text(bitRate(value)),
  },
];

function logarithmic(least: number, most: number): Pick<Slider, "valueAt" | "positionOf"> {
  const range = Math.log(most / least);
  return {
    valueAt: (position) => least * Math.exp(range * position / STEPS),
    positionOf: (value) => STEPS * Math.log(value / least) / range,
  };
}

/** Shows the path, and reports the changes of the user. */
export function PathSliders({ path, onChange }: {
  readonly path: DemoPath | undefined;
  readonly onChange: (path: Partial<DemoPath>) => void;
}): VNode {
  return html`
    <div class="sliders">
      ${SLIDERS.map((slider) =>
        html`<${PathSlider} slider=${slider} value=${path?.[slider.key]} onChange=${onChange} />`
      )}
    </div>
  `;
}

function PathSlider({ slider, value, onChange }: {
  readonly slider: Slider;
  readonly value: number | undefined;
  readonly onChange: (path: Partial<DemoPath>) => void;
}): VNode {
  const [own, setOwn] = useState<number | undefined>(undefined);
  useEffect(() => {
    if (own === undefined) return;
    const timer = setTimeout(() => setOwn(undefined), HOLD_MS);
    return () => clearTimeout(timer);
  }, [own]);
  const { key, name, valueAt, positionOf, show } = slider;
  const shown = own ?? value ?? valueAt(0);
  const change = (event: InputEvent) => {
    const next = valueAt(Number((event.target as HTMLInputElement).value));
    setOwn(next);
    onChange({ [key]: next });
  };
  return html`
    <label class="slider">
      <span class="muted">${name}</span>
      <output>${show(shown)}</output>
      <input type="range" min="0" max=${STEPS} step="1" value=${Math.round(positionOf(shown))}
        aria-valuetext=${show(shown)} onInput=${change} />
    </label>
  `;
}
