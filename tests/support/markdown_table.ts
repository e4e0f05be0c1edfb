/**
 * Tables in Markdown, padded as `deno fmt` does it.
 *
 * @module
 */

/** A table with a row of titles. */
export function formatTable(
  titles: readonly string[],
  rows: readonly (readonly string[])[],
): string {
  const escaped = rows.map((row) => row.map((cell) => cell.replaceAll("|", "\\|")));
  const widths = titles.map((title, column) =>
    Math.max(3, ...[title, ...escaped.map((row) => row[column]!)].map((cell) => [...cell].length))
  );
  const line = (cells: readonly string[]) =>
    `| ${
      cells.map((cell, column) => cell + " ".repeat(widths[column]! - [...cell].length)).join(" | ")
    } |`;
  return [line(titles), line(widths.map((width) => "-".repeat(width))), ...escaped.map(line)]
    .join("\n");
}
