/** Throws unless the condition holds. For inner loops, where a matcher is too slow. */
export function assert(holds: boolean, what: string): void {
  if (!holds) throw new Error(`does not hold: ${what}`);
}
