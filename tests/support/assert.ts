/**
 * Throws unless it holds: for the inside of loops, where a matcher's tenth of a millisecond counts.
 */
export function assert(holds: boolean, what: string): void {
  if (!holds) throw new Error(`does not hold: ${what}`);
}
