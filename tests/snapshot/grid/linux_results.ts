import type { Cell } from "./cells.ts";

/** What `linux.ts` prints of a cell. Mbit/s of the application's data. */
export interface LinuxResult extends Cell {
  readonly kernel: number;
  /** A stack, through the same program. */
  readonly berth: number;
  /** A stack that sends to a stack, in virtual time. */
  readonly virtual: number;
  /** The longest time in which the receiver got nothing to read. */
  readonly kernelSilenceMs: number;
  readonly berthSilenceMs: number;
}
