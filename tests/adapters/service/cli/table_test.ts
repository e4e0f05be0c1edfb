import { expect, test } from "bun:test";
import { tableOf } from "../../../../adapters/service/cli/table.ts";

// Numbers are at the right, and a text that would control the terminal or add a line does neither.
test("a table has one line for each row, whatever its cells are", () => {
  const rows = [["a\x1b[2J\nb\x9b31m", 7], ["c", 100]];
  expect(tableOf(["NAME", "COUNT"], rows)).toBe(
    ["NAME         COUNT", "a [2J b 31m      7", "c              100"].join("\n"),
  );
});
