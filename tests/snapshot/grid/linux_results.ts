import type { Cell } from "./cells.ts";

/** What `linux.ts` prints of a path. Mbit/s of the application's data, one for each run. */
export interface LinuxResult extends Omit<Cell, "profile"> {
  readonly kernel: readonly number[];
  /** A stack to a stack, in virtual time. */
  readonly internet: readonly number[];
  readonly local: readonly number[];
  /** The longest time in which the kernel's receiver got nothing, and the same in virtual time. */
  readonly kernelSilenceMs: readonly number[];
  /** How late one packet of 100 left the kernel's path. */
  readonly lateMs: readonly number[];
}

/** Half of the runs are below it. */
export function median(runs: readonly number[]): number {
  return [...runs].sort((a, b) => a - b)[runs.length >> 1]!;
}
