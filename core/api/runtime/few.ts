/**
 * Lists of nearly always at most one element, such as the listeners of one of very many connections: no
 * array is kept for none or one.
 *
 * @module
 */

/** None, one or several. */
export type Few<T extends object> = T | T[] | undefined;

/** `few` with `one` at the end. */
export function withOne<T extends object>(few: Few<T>, one: T): Few<T> {
  if (few === undefined) return one;
  if (!Array.isArray(few)) return [few, one];
  few.push(one);
  return few;
}

/** `few` without the first occurrence of `one`. */
export function withoutOne<T extends object>(few: Few<T>, one: T): Few<T> {
  if (few === one) return undefined;
  if (!Array.isArray(few)) return few;
  const at = few.indexOf(one);
  if (at >= 0) few.splice(at, 1);
  return few.length === 1 ? few[0] : few;
}

/** Calls `action` for each element, in order; what it adds or removes has no effect on this. */
export function forEachOf<T extends object>(few: Few<T>, action: (one: T) => void): void {
  if (few === undefined) return;
  if (!Array.isArray(few)) return action(few);
  for (const one of [...few]) action(one);
}
