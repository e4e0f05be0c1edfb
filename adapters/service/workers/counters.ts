/**
 * Sums the counters of several stacks.
 *
 * @module
 */
import type { Counters } from "./messages.ts";

/** The sum of each counter, in the order of first appearance. */
export function sumCounters(all: readonly Counters[]): Counters {
  const sums: Record<string, number> = {};
  for (const counters of all) {
    for (const [name, count] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}
