/**
 * "Did you mean" for names that were mistyped.
 *
 * @module
 */

/** Maximum number of wrong letters. */
const MAX_DISTANCE = 2;
/** Longer names are not compared: the time grows with the square of the length. */
const MAX_LENGTH = 40;

/**
 * The candidate that a mistyped name most likely means: at most two letters are wrong, missing,
 * extra or swapped with their neighbor, and fewer than half of all.
 *
 * @example
 * ```ts ignore
 * suggestionFor("lisen", ["listen", "link"]); // "listen"
 * ```
 */
export function suggestionFor(name: string, candidates: readonly string[]): string | undefined {
  if (name.length > MAX_LENGTH) return undefined;
  const most = Math.min(MAX_DISTANCE, Math.ceil(name.length / 2) - 1);
  let best: string | undefined;
  let least = most + 1;
  for (const candidate of candidates) {
    const distance = distanceOf(name.toLowerCase(), candidate.toLowerCase());
    if (distance < least) [best, least] = [candidate, distance];
  }
  return best;
}

/**
 * Damerau-Levenshtein distance in which no substring is edited twice (optimal string alignment).
 */
function distanceOf(from: string, to: string): number {
  let before: number[] = [];
  let last = Array.from({ length: to.length + 1 }, (_, i) => i);
  for (let i = 1; i <= from.length; i++) {
    const row = [i];
    for (let j = 1; j <= to.length; j++) {
      const isSame = from[i - 1] === to[j - 1];
      row[j] = Math.min(last[j]! + 1, row[j - 1]! + 1, last[j - 1]! + (isSame ? 0 : 1));
      const isSwapped = i > 1 && j > 1 && from[i - 1] === to[j - 2] && from[i - 2] === to[j - 1];
      if (isSwapped) row[j] = Math.min(row[j]!, before[j - 2]! + 1);
    }
    [before, last] = [last, row];
  }
  return last[to.length]!;
}
