/**
 * Counters of several stacks as one.
 *
 * @module
 */
import type { Counters } from "./messages.ts";

/** The sums, in the order of first appearance. */
export function sumCounters(all: readonly Counters[]): Counters {
  const sums: Record<string, number> = {};
  for (const counters of all) {
    for (const [name, count] of Object.entries(counters)) sums[name] = (sums[name] ?? 0) + count;
  }
  return sums;
}
