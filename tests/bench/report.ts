/**
 * The output of every benchmark: a line of JSON that includes the machine.
 *
 * @module
 */
import { cpus, release, totalmem } from "node:os";
import process from "node:process";

/** The machine on which a figure was measured. */
export interface Machine {
  readonly runtime: string;
  readonly cpu: string;
  readonly cores: number;
  readonly memoryGiB: number;
  readonly kernel: string;
}

/** This machine and the current runtime. */
export function machine(): Machine {
  const { bun, deno } = process.versions;
  return {
    runtime: bun === undefined ? `Deno ${deno}` : `Bun ${bun}`,
    cpu: cpus()[0]?.model ?? "unknown",
    cores: cpus().length,
    memoryGiB: Math.round(totalmem() / 2 ** 30),
    kernel: release(),
  };
}

/** Prints one result. */
export function report(benchmark: string, figures: Readonly<Record<string, unknown>>): void {
  console.log(JSON.stringify({ benchmark, ...figures, machine: machine() }));
}

/** The middle one of several figures. */
export function median(figures: readonly number[]): number {
  const sorted = [...figures].sort((a, b) => a - b);
  const middle = sorted.length >> 1;
  return sorted.length % 2 === 1 ? sorted[middle]! : (sorted[middle - 1]! + sorted[middle]!) / 2;
}
