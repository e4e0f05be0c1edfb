import type { Cell } from "./cells.ts";

/** Output of `linux.ts` for a path: goodput in Mbit/s, one value for each run. */
export interface LinuxResult extends Omit<Cell, "profile"> {
  readonly kernel: readonly number[];
  /** From a stack to a stack, in virtual time. */
  readonly internet: readonly number[];
  readonly local: readonly number[];
  /** The longest time without data at the kernel's receiver, and the same in virtual time. */
  readonly kernelSilenceMs: readonly number[];
  /** The 99th percentile of the delay by which packets left the kernel's path late. */
  readonly lateMs: readonly number[];
}

/** The median of the runs. */
export function median(runs: readonly number[]): number {
  return [...runs].sort((a, b) => a - b)[runs.length >> 1]!;
}
