import { execFileSync } from "node:child_process";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { findRuntime } from "./support/runtimes.ts";
import { ROOT } from "./support/source_files.ts";

/** The used part of what `deno doc --json` prints. */
interface Documentation {
  readonly nodes: Readonly<Record<string, Entry>>;
}

interface Entry {
  readonly module_doc?: Comment;
  readonly symbols: readonly { readonly name: string; readonly declarations: Declaration[] }[];
}

interface Declaration {
  readonly kind: string;
  readonly jsDoc?: Comment;
  readonly def?: Readonly<Record<string, unknown>>;
}

interface Comment {
  readonly doc?: string;
  readonly tags?: readonly { readonly kind: string }[];
}

interface Member {
  readonly name?: string;
  readonly accessibility?: string;
  readonly jsDoc?: Comment;
}

/** The arrays in `def` whose elements have comments of their own. */
const MEMBERS = ["properties", "methods", "callSignatures", "indexSignatures", "members"];

/** Kinds of symbols that a program can use; plugins are variables. */
const VALUES = ["function", "class", "variable"];

const { exports } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
const deno = findRuntime("Deno").executable;
const entries = Object.values<string>(exports).flatMap((path) => {
  const output = execFileSync(deno, ["doc", "--json", path], {
    cwd: ROOT,
    encoding: "utf8",
    maxBuffer: 2 ** 28,
  });
  const { nodes }: Documentation = JSON.parse(output);
  return Object.values(nodes).map((entry) => ({ path, ...entry }));
});
const symbols = entries.flatMap((entry) => entry.symbols);

// Many users read only what an editor shows on hover.
describe("the documentation of the entry points", () => {
  test("has each exported symbol and each of its members", () => {
    const bare = symbols.flatMap(({ name, declarations }) => [
      ...declarations.some(({ jsDoc }) => isText(jsDoc)) ? [] : [name],
      ...declarations.flatMap(membersOf).filter(({ jsDoc }) => !isText(jsDoc))
        .map((member) => `${name}.${member.name ?? "signature"}`),
    ]);
    expect(new Set(bare)).toEqual(new Set());
  });

  test("has an example of each function, class and constant", () => {
    const values = symbols.filter(({ declarations }) =>
      declarations.some(({ kind }) => VALUES.includes(kind))
    );
    const without = values.filter(({ declarations }) =>
      !declarations.some(({ jsDoc }) => hasExample(jsDoc))
    );
    expect(new Set(without.map(({ name }) => name))).toEqual(new Set());
  });

  test("has an example of each entry point but the program", () => {
    const without = entries.filter(({ path, module_doc }) =>
      path !== exports["./cli"] && !hasExample(module_doc)
    );
    expect(without.map(({ path }) => path)).toEqual([]);
  });

  // Another form of output would leave nothing to check.
  test("is found", () => {
    const names = new Set(symbols.map(({ name }) => name));
    expect([...names]).toEqual(expect.arrayContaining(["createStack", "UdpLink", "StackOptions"]));
    const members = symbols.flatMap(({ declarations }) => declarations.flatMap(membersOf));
    expect(members.map(({ name }) => name)).toEqual(
      expect.arrayContaining(["closeWrite", "addresses", "localAddress"]),
    );
  });
});

function membersOf({ def = {} }: Declaration): Member[] {
  return MEMBERS.flatMap((key) => (def[key] ?? []) as Member[])
    .filter(({ accessibility }) => accessibility !== "private" && accessibility !== "protected");
}

/** A comment that has at least a tag, such as that of the implementation of overloads. */
function isText(comment: Comment = {}): boolean {
  return Boolean(comment.doc) || (comment.tags ?? []).length > 0;
}

function hasExample({ tags = [] }: Comment = {}): boolean {
  return tags.some(({ kind }) => kind === "example");
}
