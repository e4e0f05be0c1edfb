/**
 * Lists that nearly always have at most one element, such as the listeners of a connection: no array is
 * kept for none or one, since there may be very many connections.
 *
 * @module
 */

/** None, one or several. */
export type SmallList<T extends object> = T | T[] | undefined;

/** `list` with `one` at the end. */
export function withOne<T extends object>(list: SmallList<T>, one: T): SmallList<T> {
  if (list === undefined) return one;
  if (!Array.isArray(list)) return [list, one];
  list.push(one);
  return list;
}

/** `list` without the first occurrence of `one`. */
export function withoutOne<T extends object>(list: SmallList<T>, one: T): SmallList<T> {
  if (list === one) return undefined;
  if (!Array.isArray(list)) return list;
  const at = list.indexOf(one);
  if (at >= 0) list.splice(at, 1);
  return list.length === 1 ? list[0] : list;
}

/** Calls `action` for each element, in order; elements that it adds or removes have no effect on this pass. */
export function forEachOf<T extends object>(list: SmallList<T>, action: (one: T) => void): void {
  if (list === undefined) return;
  if (!Array.isArray(list)) return action(list);
  for (const one of [...list]) action(one);
}
