import { describe, expect, test } from "bun:test";
import { MAX_DEPTH, parseJsonc } from "../../../../adapters/service/settings/jsonc.ts";

/** The only error, as `LINE:COLUMN: MESSAGE`. */
function faultOf(text: string): string {
  const { faults } = parseJsonc(text);
  expect(faults.length).toBe(1);
  const [{ position: { line, column }, message }] = faults as [typeof faults[number]];
  return `${line}:${column}: ${message}`;
}

describe("parseJsonc", () => {
  // Every form of value, as JSON.parse() reads it.
  test.each([
    '{"a": [1, -2.5e3, "x\\n\\u0041\\"", true, false, null, {}, []], "b": {"c": ""}}',
    "[]",
    ' "text" ',
    "0",
    '{"__proto__": {"polluted": 1}, "constructor": 2}',
  ])("reads %s", (text) => {
    const { value, faults } = parseJsonc(text);
    expect(faults).toEqual([]);
    expect(JSON.stringify(value)).toBe(JSON.stringify(JSON.parse(text)));
  });

  // As found in hand-written files.
  test("reads comments, trailing commas and a byte order mark", () => {
    const text = '\uFEFF// the tunnel\r\n{ /* bytes */ "mtu": 1400, // "mtu": 9000\n' +
      '  "publish": ["8080=10.7.0.2:80",], }\n/* the end */ // really';
    expect(parseJsonc(text).value).toEqual({ mtu: 1400, publish: ["8080=10.7.0.2:80"] });
    expect(parseJsonc('"// no comment /* here */"').value).toBe("// no comment /* here */");
  });

  // Lines and columns from 1, of a key and its value; a path that does not exist gives the
  // innermost enclosing value.
  test("knows the position of every key and value", () => {
    const { keyAt, valueAt } = parseJsonc('{\n  "listen": {\n    "80": ["log",\n "echo"]\n  }\n}');
    expect(valueAt([])).toEqual({ line: 1, column: 1 });
    expect(keyAt(["listen", "80"])).toEqual({ line: 3, column: 5 });
    expect(valueAt(["listen", "80"])).toEqual({ line: 3, column: 11 });
    expect(valueAt(["listen", "80", 1])).toEqual({ line: 4, column: 2 });
    expect(valueAt(["listen", "80", 1, "plugin"])).toEqual({ line: 4, column: 2 });
    expect(keyAt(["gone"])).toEqual({ line: 1, column: 1 });
  });

  // Each message has the position, what was expected, and what was found.
  test.each([
    ["", "1:1: expected a value, the file ends here"],
    ["{", "1:2: expected } for the object that begins on line 1, the file ends here"],
    ["[1,\n2", "2:2: expected ] for the list that begins on line 1, the file ends here"],
    ['{"a": 1\n "b": 2}', '2:2: expected , or }, found "'],
    ["{mtu: 1500}", "1:2: expected a key in double quotes, found mtu"],
    ["{'mtu': 1500}", "1:2: expected a key in double quotes, found '"],
    ['{"a" 1}', '1:6: expected : after the key "a", found 1'],
    ['{"a": }', "1:7: expected a value, found }"],
    ['{"a": yes}', "1:7: expected a value, found yes"],
    ["{,}", "1:2: expected a key in double quotes, found ,"],
    ["[1,,2]", "1:4: expected a value, found ,"],
    ['{"a": "b\n"}', '1:7: this string does not end with " on its line'],
    ['["\\x"]', '1:2: "\\x" is not a string in JSON'],
    ["[01]", "1:2: 01 is not a number in JSON"],
    ["[1_000]", "1:2: 1_000 is not a number in JSON"],
    ["{} []", "1:4: expected the end of the file, found ["],
    ["{} /* open", "1:4: this comment does not end with */"],
  ])("refuses %j", (text: string, fault: string) => {
    expect(faultOf(text)).toBe(fault);
  });

  // Otherwise the second one would win silently.
  test("reports every duplicate key", () => {
    const { faults, value } = parseJsonc('{"a": {"x": 1,\n"x": 2}, "b": 3,\n "b": 4}');
    expect(value).toEqual({ a: { x: 2 }, b: 4 });
    expect(faults).toEqual([
      {
        position: { line: 2, column: 1 },
        path: ["a", "x"],
        message: "this key occurs twice, first on line 1",
      },
      {
        position: { line: 3, column: 2 },
        path: ["b"],
        message: "this key occurs twice, first on line 2",
      },
    ]);
  });

  // Deeply nested brackets must not overflow the call stack.
  test("limits the nesting depth", () => {
    const nested = (depth: number) => "[".repeat(depth) + "]".repeat(depth);
    expect(parseJsonc(nested(MAX_DEPTH)).faults).toEqual([]);
    expect(faultOf(nested(MAX_DEPTH + 1))).toBe(
      "1:101: objects and lists may be nested at most 100 levels deep",
    );
    expect(parseJsonc("[".repeat(1_000_000)).faults.length).toBe(1);
  });
});
