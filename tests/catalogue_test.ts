import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import * as berth from "./support/public_api.ts";
import { catalogue, KINDS } from "./support/catalogue.ts";
import { findOptions, propertiesOf } from "./support/options_table.ts";
import { formatCatalogue, referencePages } from "./support/reference_pages.ts";
import { filePaths, ROOT, sourceFiles } from "./support/source_files.ts";

const entries = catalogue();

describe("docs/catalogue.md", () => {
  // `deno task catalogue` generates the page from the docstrings.
  test("matches the docstrings", () => {
    const page = readFileSync(join(ROOT, "docs/catalogue.md"), "utf8");
    expect(page).toBe(formatCatalogue(entries));
  });

  // The search finds entries of each kind.
  test("has entries of each kind, all of them exported", () => {
    expect(new Set(entries.map(({ kind }) => kind))).toEqual(new Set(KINDS));
    const missing = entries.filter(({ name }) => !(name in berth));
    expect(missing).toEqual([]);
  });

  // Each row has an example that the tests run.
  test("has an example of each that the tests run", () => {
    const without = entries.filter((one) => !one.example || /no_run|ignore/.test(one.attributes));
    expect(without.map(({ name }) => name)).toEqual([]);
    const foreign = entries.filter(({ name, example }) => !example?.includes(`${name}(`));
    expect(foreign.map(({ name }) => name)).toEqual([]);
  });

  // Every plugin factory is in the catalogue, by its own name or by that of the plugin that it makes.
  test("has every plugin factory of the package", () => {
    const factories = Object.entries(berth)
      .filter(([, value]) => typeof value === "function" && "pluginName" in value)
      .map(([name]) => name);
    const listed = new Set(entries.map(({ name }) => name));
    expect(factories.filter((name) => !listed.has(name))).toEqual([]);
  });
});

describe("docs/reference", () => {
  // `deno task catalogue` writes the pages; none is left of an entry that is gone.
  test("matches the docstrings and the schemas", () => {
    const pages = referencePages(entries, berth);
    expect(pages.map(({ path }) => `docs/${path}`).toSorted())
      .toEqual(filePaths(["docs/reference"], ".md"));
    const stale = pages.filter(({ path, text }) =>
      readFileSync(join(ROOT, "docs", path), "utf8") !== text
    );
    expect(stale.map(({ path }) => path)).toEqual([]);
  });

  // The interface documents the options, and the schema checks them, so both need the same names and defaults.
  test("has the options that the schemas know, with their defaults", () => {
    const files = sourceFiles("core", "adapters", "plugins");
    let compared = 0;
    for (const { name, optionsType } of entries) {
      const { optionsSchema } = Object((berth as Record<string, unknown>)[name]);
      if (optionsSchema === undefined) continue;
      const properties = propertiesOf(optionsSchema) ?? {};
      const options = findOptions(optionsType!, files)?.options ?? [];
      expect([name, ...options.map((option) => option.name).toSorted()])
        .toEqual([name, ...Object.keys(properties).toSorted()]);
      for (const option of options) {
        const number = Number(option.default?.replaceAll(",", ""));
        if (Number.isNaN(number) || option.default === undefined) continue;
        expect([name, option.name, number])
          .toEqual([name, option.name, properties[option.name]!.default as number]);
        compared++;
      }
    }
    expect(compared).toBeGreaterThan(20);
  });
});
