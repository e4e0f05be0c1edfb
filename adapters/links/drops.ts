/** Counters of drops by reason for a link's `stats()`, as `drop.REASON`. */
export function dropStats(drops: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(drops).map(([reason, count]) => [`drop.${reason}`, count]),
  );
}
