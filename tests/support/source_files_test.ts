import { describe, expect, test } from "bun:test";
import { importsOf, split } from "./source_files.ts";

describe("split", () => {
  // Comment marks inside strings and quotes inside comments are ignored.
  test("tells comments from strings", () => {
    const text = 'const a = "// no"; // "yes"\nconst b = `${"/*"}`; /* yes */';
    const { code, comments } = split(text);
    expect(code.trimEnd()).toBe('const a = "     ";         \nconst b = `       `;');
    expect(comments.replace(/ +/g, " ")).toBe(' // "yes"\n /* yes */');
  });

  // A quote in a regular expression does not start a string; a division does not start a regular
  // expression.
  test("tells regular expressions from divisions", () => {
    const { code } = split('const a = /"[/"]/g; const b = c / d; // e / f\nconst g = 1 / 2;');
    expect(code).toBe("const a = /      g; const b = c / d;         \nconst g = 1 / 2;");
  });
});

describe("importsOf", () => {
  // Each form of import; relative ones are resolved from the root.
  test("finds static, type-only, bare and dynamic imports", () => {
    const text = [
      'import type { A } from "../b.ts";',
      "import {\n  c,\n} from './d.ts';",
      'export * from "zod";',
      'import "node:fs";',
      'const e = await import("bun:ffi"); // import "f"',
    ].join("\n");
    const imports = importsOf({ path: "core/x/y.ts", text, ...split(text) });
    expect(imports.map(({ target, typeOnly, line }) => [target, typeOnly, line])).toEqual([
      ["core/b.ts", true, 1],
      ["core/x/d.ts", false, 2],
      ["zod", false, 5],
      ["node:fs", false, 6],
      ["bun:ffi", false, 7],
    ]);
  });
});
