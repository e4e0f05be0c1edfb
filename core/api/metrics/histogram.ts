/**
 * Histograms of durations.
 *
 * @module
 */
import type { HistogramValue } from "./metric.ts";

/** Bounds for handlers and requests, in seconds: those of OpenTelemetry's conventions for HTTP. */
export const DURATION_BOUNDS: readonly number[] = [
  ...[0.005, 0.01, 0.025, 0.05, 0.075, 0.1, 0.25, 0.5, 0.75, 1, 2.5, 5, 7.5, 10],
];

/** Bounds for round trips and handshakes, in seconds. */
export const RTT_BOUNDS: readonly number[] = [
  ...[0.0001, 0.00025, 0.0005, 0.001, 0.0025, 0.005, 0.01, 0.025, 0.05, 0.1, 0.25, 0.5, 1, 2.5],
];

/** Counts durations by bucket: an addition for each, and no allocation. */
export class DurationHistogram {
  readonly #bounds: readonly number[];
  readonly #counts: Float64Array;
  readonly #sums: Float64Array;

  constructor(bounds: readonly number[] = DURATION_BOUNDS) {
    this.#bounds = bounds;
    this.#counts = new Float64Array(bounds.length + 1);
    this.#sums = new Float64Array(bounds.length + 1);
  }

  /** Counts a duration in seconds; a negative number or NaN counts as 0. */
  record(seconds: number): void {
    const duration = seconds > 0 ? seconds : 0;
    const bounds = this.#bounds;
    let bucket = 0;
    while (bucket < bounds.length && duration > bounds[bucket]!) bucket++;
    this.#counts[bucket]!++;
    this.#sums[bucket]! += duration;
  }

  /** A copy of the counts. */
  get value(): HistogramValue {
    return { bounds: this.#bounds, counts: [...this.#counts], sums: [...this.#sums] };
  }
}

/** The sum of two histograms with the same bounds. */
export function addHistograms(one: HistogramValue, other: HistogramValue): HistogramValue {
  return {
    bounds: one.bounds,
    counts: one.counts.map((count, bucket) => count + (other.counts[bucket] ?? 0)),
    sums: one.sums.map((sum, bucket) => sum + (other.sums[bucket] ?? 0)),
  };
}

/** The number of durations, and their sum in seconds. */
export function totalsOf({ counts, sums }: HistogramValue): { count: number; sum: number } {
  const total = (values: readonly number[]) => values.reduce((sum, each) => sum + each, 0);
  return { count: total(counts), sum: total(sums) };
}
