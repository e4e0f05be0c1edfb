import { describe, expect, test } from "bun:test";
import { warningsIn } from "../../../release/jsr/dry_run.ts";

describe("the dry run of a publication", () => {
  // Deno ends with 0 after a warning, so the exit code does not show it.
  test("finds warnings, and ignores files with that word in their names", () => {
    const output = `Check mod.ts
Checking for slow types in the public API...
warning[unanalyzable-dynamic-import]: unable to analyze dynamic import
 --> /src/adapters/service/plugin.ts:9:16
Warning There is no license
Simulating publish of @berth/berth@0.2.0 with files:
   file:///src/core/warning.ts (1KB)
Success Dry run complete
`;
    expect(warningsIn(output)).toEqual([
      "warning[unanalyzable-dynamic-import]: unable to analyze dynamic import",
      "Warning There is no license",
    ]);
    expect(warningsIn("Success Dry run complete\n")).toEqual([]);
  });
});
