import { Path } from "../path.ts";
import { type Cell, pathOf } from "./cells.ts";

/** What one flow makes of a path. */
export interface Result {
  /** Mbit/s of the application's data. */
  readonly goodput: number;
  /** Part of what the bottleneck carries without headers. */
  readonly use: number;
  /** The longest time in which nothing new arrived, in RTOs in force at its end. */
  readonly silence: number;
  /** The same in RTOs without backoff. */
  readonly silenceWithoutBackoff: number;
  /** The longest time in which nothing was sent either, in RTOs in force. */
  readonly wait: number;
}

/** The part of a full packet that is the application's. */
const TEXT = 1448 / 1500;

/** One flow for so long, from its first SYN. */
export function measure(cell: Cell, seconds: number, seed = 1): Result {
  const { congestion, profile } = cell;
  const path = new Path({ seed, ...pathOf(cell), flows: [{ congestion, profile }] });
  path.run(seconds * 1000);
  const flow = path.flows[0]!;
  const goodput = flow.received * 8 / (seconds * 1e6);
  return {
    goodput,
    use: goodput / (cell.mbit * TEXT),
    silence: flow.longestSilence,
    silenceWithoutBackoff: flow.longestSilenceWithoutBackoff,
    wait: flow.longestWait,
  };
}

/** Several runs of a cell: the mean of what they carry, and the longest silence of any. */
export function measureMean(cell: Cell, seconds: number, seeds: readonly number[]): Result {
  const runs = seeds.map((seed) => measure(cell, seconds, seed));
  const mean = (value: (run: Result) => number) => {
    return runs.reduce((sum, run) => sum + value(run), 0) / runs.length;
  };
  const longest = (value: (run: Result) => number) => Math.max(...runs.map(value));
  return {
    goodput: mean(({ goodput }) => goodput),
    use: mean(({ use }) => use),
    silence: longest(({ silence }) => silence),
    silenceWithoutBackoff: longest(({ silenceWithoutBackoff }) => silenceWithoutBackoff),
    wait: longest(({ wait }) => wait),
  };
}

/**
 * What the second of two flows that begin together gets, in parts of what the first one gets, in
 * the second half of the time; the mean of several runs, as chance moves bandwidth to and fro.
 */
export function share(
  cell: Cell,
  seconds: number,
  seeds: readonly number[],
  second: Cell["congestion"] = cell.congestion,
): number {
  const { congestion, profile, rttMs } = cell;
  const flows = [{ congestion, profile }, { congestion: second, profile, startMs: rttMs }];
  const { conditions, back } = pathOf(cell);
  // Without it a flow whose packets come just behind the other's would lose all the time.
  const jitterMs = Math.max(rttMs / 10, 12 / cell.mbit);
  const sums = [0, 0];
  for (const seed of seeds) {
    const path = new Path({ seed, conditions: { ...conditions, jitterMs }, back, flows });
    const before = path.run(seconds * 500).received;
    path.run(seconds * 500).received.forEach((bytes, i) => sums[i]! += bytes - before[i]!);
  }
  return sums[1]! / sums[0]!;
}
