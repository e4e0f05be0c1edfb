import { Path } from "../path.ts";
import { type Cell, pathOf } from "./cells.ts";

/** Result of one flow on a path. */
export interface Result {
  /** Goodput in Mbit/s. */
  readonly goodput: number;
  /** Goodput relative to the bottleneck's capacity without headers. */
  readonly use: number;
  /** The longest time without new data, in RTOs current at its end. */
  readonly silence: number;
  /** The same in RTOs without backoff. */
  readonly silenceWithoutBackoff: number;
  /** The longest time in which nothing was sent either, in current RTOs. */
  readonly wait: number;
}

/** Share of application data in a full packet. */
const TEXT = 1448 / 1500;

/** Runs one flow, starting with its SYN. */
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

/** Several runs of a cell: the mean of their goodput, and the longest silence of any. */
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
 * Goodput of the second of two flows that start together, relative to the first, in the second half
 * of the time; the mean of several runs, since the shares fluctuate.
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
  // Without it, a flow whose packets always arrive just after the other's would lose constantly.
  const jitterMs = Math.max(rttMs / 10, 12 / cell.mbit);
  const sums = [0, 0];
  for (const seed of seeds) {
    const path = new Path({ seed, conditions: { ...conditions, jitterMs }, back, flows });
    const before = path.run(seconds * 500).received;
    path.run(seconds * 500).received.forEach((bytes, i) => sums[i]! += bytes - before[i]!);
  }
  return sums[1]! / sums[0]!;
}
