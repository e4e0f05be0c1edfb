import { describe, expect, test } from "bun:test";
import {
  mapSpecifiers,
  moduleSpecifiers,
  replaceComputedImports,
} from "../../../../adapters/service/listen/module_specifiers.ts";

describe("moduleSpecifiers", () => {
  // Every form that loads a module, in either quotes, over several lines.
  test.each([
    ['import "npm:a";', ["npm:a"]],
    ["import a from 'npm:a'", ["npm:a"]],
    ['import {\n  a, // first "from"\n  b,\n} from\n  "npm:a"', ["npm:a"]],
    ['import a, * as b from /* here */ "npm:a"; export * from "./b.ts"', ["npm:a", "./b.ts"]],
    ['export { a as "from" } from "npm:a"', ["npm:a"]],
    ['const a = await import("npm:a"), b = await import(`npm:b`)', ["npm:a", "npm:b"]],
    ['import a from "npm:a" with { type: "json" }', ["npm:a"]],
    ['import type from "npm:a"', ["npm:a"]],
    ['const quote = /["\']/; import "npm:a"', ["npm:a"]],
    ['const half = a / b; import "npm:a"; c / d', ["npm:a"]],
    ['const t = `${`"`}`; import "npm:a"', ["npm:a"]],
    ['import type { A } from "npm:a"; import "npm:b"', ["npm:b"]],
  ])("finds what %s loads", (code, expected) => {
    expect(moduleSpecifiers(code)).toEqual(expected);
  });

  test("changes nothing else", () => {
    const code = `import a from "a"; /* "a" */ const b = 'a', c = /"a"/, d = await import('a');`;
    expect(mapSpecifiers(code, (name) => name === "a" ? './x"y' : name)).toBe(
      `import a from "./x\\"y"; /* "a" */ const b = 'a', c = /"a"/, d = await import("./x\\"y");`,
    );
    expect(mapSpecifiers(code, (name) => name)).toBe(code);
  });

  // Neither an example in a comment nor text is an import.
  test.each([
    '/** import a from "npm:a" */',
    '// import "npm:a"',
    "const text = 'import a from \"npm:a\"';",
    'const text = `\n  import a from "npm:a"\n`;',
    'log("npm:a", from, "npm:a");',
  ])("finds nothing in %s", (code) => {
    expect(moduleSpecifiers(code)).toEqual([]);
  });
});

describe("replaceComputedImports", () => {
  // An expression, a literal that is only a part of one, a template with a value, and one within another.
  test.each([
    ["await import(name)", "await at(name)"],
    ['import ("a" + b)', 'at ("a" + b)'],
    ["import(`a-${b}`)", "at(`a-${b}`)"],
    [
      'import(/* here */ name, { with: { type: "json" } })',
      'at(/* here */ name, { with: { type: "json" } })',
    ],
    ['x(import(a), import("b"), import(c))', 'x(at(a), import("b"), at(c))'],
  ])("changes %s", (code, expected) => {
    expect(replaceComputedImports(code, "at")).toBe(expected);
  });

  test.each([
    'import a from "a"; import * as b from "b"; import("c"); import(`d`, {});',
    "import.meta.url; this.import(a); reimport(b); // import(c)",
    'const text = "import(a)", other = `import(a)`, pattern = /import(a)/;',
  ])("leaves %s", (code) => {
    expect(replaceComputedImports(code, "at")).toBe(code);
  });
});
