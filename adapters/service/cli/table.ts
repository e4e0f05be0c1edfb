/**
 * Tables for a terminal.
 *
 * @module
 */
import { printable } from "../printable.ts";

type Cell = string | number;

/** Formats a table. Columns are as wide as their widest cell, numbers are right-aligned, and each row is one line. */
export function tableOf(head: readonly string[], given: readonly (readonly Cell[])[]): string {
  const rows = given.map((row) =>
    row.map((cell) => typeof cell === "string" ? printable(cell) : cell)
  );
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
