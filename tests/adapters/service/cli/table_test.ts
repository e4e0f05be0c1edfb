import { expect, test } from "bun:test";
import { tableOf } from "../../../../adapters/service/cli/table.ts";

// Numbers are right-aligned, and text cannot control the terminal or add a line.
test("a table has one line for each row, whatever its cells are", () => {
  const rows = [["a\x1b[2J\nb\x9b31m", 7], ["c", 100]];
  expect(tableOf(["NAME", "COUNT"], rows)).toBe(
    ["NAME         COUNT", "a [2J b 31m      7", "c              100"].join("\n"),
  );
});
