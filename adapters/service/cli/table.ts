/**
 * Tables for a terminal.
 *
 * @module
 */

type Cell = string | number;

/** Columns as wide as their widest cell, numbers at the right. */
export function tableOf(head: readonly string[], rows: readonly (readonly Cell[])[]): string {
  const widths = head.map((title, i) =>
    Math.max(title.length, ...rows.map((row) => String(row[i]).length))
  );
  const isNumber = head.map((_, i) =>
    rows.length > 0 && rows.every((row) => typeof row[i] === "number")
  );
  const line = (cells: readonly Cell[]) =>
    cells.map((cell, i) =>
      isNumber[i] ? String(cell).padStart(widths[i]!) : String(cell).padEnd(widths[i]!)
    ).join("  ").trimEnd();
  return [head, ...rows].map(line).join("\n");
}
