/** Drops by reason as a link's `stats()` has them: under `drop.`. */
export function dropStats(drops: Readonly<Record<string, number>>): Record<string, number> {
  return Object.fromEntries(
    Object.entries(drops).map(([reason, count]) => [`drop.${reason}`, count]),
  );
}
