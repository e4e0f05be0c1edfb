import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import * as berth from "./support/public_api.ts";
import { catalogue, formatCatalogue, KINDS } from "./support/catalogue.ts";
import { ROOT } from "./support/source_files.ts";

const entries = catalogue();

describe("docs/catalogue.md", () => {
  // `deno task catalogue` generates the page from the docstrings.
  test("matches the docstrings", () => {
    const page = readFileSync(join(ROOT, "docs/catalogue.md"), "utf8");
    expect(page).toBe(formatCatalogue(entries));
  });

  // A kind without entries would mean that they are not found.
  test("has entries of each kind, all of them exported", () => {
    expect(new Set(entries.map(({ kind }) => kind))).toEqual(new Set(KINDS));
    const missing = entries.filter(({ name }) => !(name in berth));
    expect(missing).toEqual([]);
  });

  // A row without an example that runs would be an unproven claim.
  test("has an example of each that the tests run", () => {
    const without = entries.filter((one) => !one.example || /no_run|ignore/.test(one.attributes));
    expect(without.map(({ name }) => name)).toEqual([]);
    const foreign = entries.filter(({ name, example }) => !example?.includes(`${name}(`));
    expect(foreign.map(({ name }) => name)).toEqual([]);
  });

  // A plugin is named by its factory or by what it makes; none is forgotten.
  test("has every plugin factory of the package", () => {
    const factories = Object.entries(berth)
      .filter(([, value]) => typeof value === "function" && "pluginName" in value)
      .map(([name]) => name);
    const listed = new Set(entries.map(({ name }) => name));
    expect(factories.filter((name) => !listed.has(name))).toEqual([]);
  });
});
