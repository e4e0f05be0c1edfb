/**
 * The two hosts and the packets between them, in slow motion.
 *
 * @module
 */
/// <reference lib="dom" />
import type { VNode } from "preact";
import { useEffect, useRef } from "preact/hooks";
import { bitRate, text } from "../shared/format.ts";
import { html } from "../shared/html.ts";
import { type Colours, coloursOf } from "../shared/plot.ts";
import type { DemoSample } from "./source.ts";

const HEIGHT = 132;
/** Maximum number of dots of one kind that a sample adds. */
const MAX_DOTS = 5;
/** Number of packets that a dot stands for, so that there are few dots. */
const PACKETS_PER_DOT = 12;
/** How long a dot travels, in milliseconds: on a path without delay, and in addition for each millisecond of delay. */
const TRAVEL_MS = 700;
const TRAVEL_PER_MS = 8;
const SAMPLE_MS = 100;
/** How far a lost packet travels, as a share of the path. */
const LOST_AT = 0.55;

/** A packet on its way. */
interface Dot {
  readonly kind: "data" | "ack" | "lost" | "dropped";
  readonly began: number;
  readonly travelMs: number;
}

/** Properties of {@link PathPicture}. */
export interface PathPictureProps {
  readonly sample: DemoSample | undefined;
  /** Bits per second. */
  readonly goodput: number;
}

/** Draws the network; a reader who prefers reduced motion sees it without dots. */
export function PathPicture({ sample, goodput }: PathPictureProps): VNode {
  const canvas = useRef<HTMLCanvasElement>(null);
  const traffic = useRef(new Traffic());
  useEffect(() => {
    if (sample !== undefined) traffic.current.take(sample, performance.now());
  }, [sample]);
  useEffect(() => {
    const element = canvas.current!;
    const isStill = matchMedia("(prefers-reduced-motion: reduce)");
    let frame = 0;
    const draw = () => {
      const dots = isStill.matches ? [] : traffic.current.dots(performance.now());
      drawPath(element, dots, performance.now());
      frame = requestAnimationFrame(draw);
    };
    draw();
    return () => cancelAnimationFrame(frame);
  }, []);
  const { path, packets } = sample ?? {};
  const summary = path === undefined
    ? "Two hosts and a path between them"
    : `Host 10.0.0.1 sends to 10.0.0.2 at ${text(bitRate(goodput))}; ${packets!.lost} packets lost`;
  return html`
    <div class="path-picture">
      <div class="host">
        <strong>10.0.0.1</strong><span class="muted">sends</span>
      </div>
      <canvas ref=${canvas} height=${HEIGHT} role="img" aria-label=${summary}></canvas>
      <div class="host end">
        <strong>10.0.0.2</strong><span class="muted">receives ${text(bitRate(goodput))}</span>
      </div>
    </div>
  `;
}

/**
 * The dots on the path. Their number is bounded, because each sample adds few of them and each travels for a limited
 * time.
 */
class Traffic {
  #dots: Dot[] = [];
  #last: DemoSample | undefined;
  /** Packets that no dot stands for yet. */
  readonly #rest = { data: 0, ack: 0 };

  /** Adds dots for what has happened since the last sample. */
  take(sample: DemoSample, now: number): void {
    const before = this.#last?.packets;
    this.#last = sample;
    if (before === undefined) return;
    const { sent, acks, lost, dropped } = sample.packets;
    const travelMs = TRAVEL_MS + TRAVEL_PER_MS * sample.path.delayMs;
    this.#add("data", this.#dotsFor("data", sent - before.sent), travelMs, now);
    this.#add("ack", this.#dotsFor("ack", acks - before.acks), travelMs, now);
    this.#add("lost", lost - before.lost, travelMs, now);
    this.#add("dropped", Math.ceil((dropped - before.dropped) / 2), travelMs, now);
  }

  /** The dots that have not arrived. */
  dots(now: number): readonly Dot[] {
    return this.#dots = this.#dots.filter(({ began, travelMs }) => now < began + travelMs);
  }

  #dotsFor(kind: "data" | "ack", packets: number): number {
    this.#rest[kind] += packets / PACKETS_PER_DOT;
    const dots = Math.floor(this.#rest[kind]);
    this.#rest[kind] -= dots;
    return dots;
  }

  #add(kind: Dot["kind"], number: number, travelMs: number, now: number): void {
    const dots = Math.max(0, Math.min(number, MAX_DOTS));
    for (let i = 0; i < dots; i++) {
      this.#dots.push({ kind, began: now + SAMPLE_MS * (i + 0.5) / dots, travelMs });
    }
  }
}

function drawPath(canvas: HTMLCanvasElement, dots: readonly Dot[], now: number): void {
  const scale = devicePixelRatio;
  const width = canvas.clientWidth;
  if (canvas.width !== Math.round(width * scale)) canvas.width = Math.round(width * scale);
  if (canvas.height !== HEIGHT * scale) canvas.height = HEIGHT * scale;
  const context = canvas.getContext("2d")!;
  const colours = coloursOf(canvas);
  context.setTransform(scale, 0, 0, scale, 0, 0);
  context.clearRect(0, 0, width, HEIGHT);
  const [there, back] = [HEIGHT / 2 - 13, HEIGHT / 2 + 13];
  context.strokeStyle = colours.line;
  context.lineWidth = 1;
  for (const y of [there, back]) {
    context.beginPath();
    context.moveTo(0, y + 0.5);
    context.lineTo(width, y + 0.5);
    context.stroke();
  }
  for (const dot of dots) {
    const part = (now - dot.began) / dot.travelMs;
    if (part >= 0) drawDot(context, dot, part, { width, there, back }, colours);
  }
}

function drawDot(
  context: CanvasRenderingContext2D,
  { kind }: Dot,
  part: number,
  { width, there, back }: { width: number; there: number; back: number },
  colours: Colours,
): void {
  context.globalAlpha = 1;
  if (kind === "ack") return fill(context, width * (1 - part), back, 2.5, colours.muted);
  if (kind === "data") return fill(context, width * part, there, 4.5, colours.accent);
  // A lost packet leaves the path on the way; one dropped at a full queue leaves it at the beginning.
  const leaves = kind === "lost" ? LOST_AT : 0.03;
  const fallen = Math.max(0, part - leaves) / (1 - leaves);
  const x = width * Math.min(part, leaves + fallen * 0.05);
  const y = there + fallen * (HEIGHT - there - 8);
  context.globalAlpha = 1 - fallen ** 2;
  if (fallen === 0) return fill(context, x, y, 4.5, colours.accent);
  context.strokeStyle = colours.ink;
  context.lineWidth = 2;
  context.beginPath();
  for (const sign of [-1, 1]) {
    context.moveTo(x - 4, y - 4 * sign);
    context.lineTo(x + 4, y + 4 * sign);
  }
  context.stroke();
}

function fill(
  context: CanvasRenderingContext2D,
  x: number,
  y: number,
  radius: number,
  colour: string,
): void {
  context.fillStyle = colour;
  context.beginPath();
  context.arc(x, y, radius, 0, 2 * Math.PI);
  context.fill();
}
