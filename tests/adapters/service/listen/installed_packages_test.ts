import { mkdirSync, mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { dirname, join } from "node:path";
import { afterAll, describe, expect, test } from "bun:test";
import {
  installedFile,
  isCommonJs,
} from "../../../../adapters/service/listen/installed_packages.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-installed-"));
afterAll(() => rmSync(folder, { recursive: true }));
const plugin = join(folder, "plugins/deep");

/** Where a specifier leads, from the root of its package. */
function resolve(specifier: string, manifest: object, files: readonly string[] = []) {
  const root = join(folder, "node_modules/some");
  rmSync(root, { recursive: true, force: true });
  for (const file of files) write(join(root, file), "");
  write(join(root, "package.json"), JSON.stringify(manifest));
  return installedFile(specifier, plugin)?.slice(root.length + 1);
}

describe("installedFile", () => {
  // The first condition that holds is used, in the order of the package (Node.js, "Packages").
  test.each([
    ["some", "./a.js", "a.js"],
    ["some", { ".": "./a.js" }, "a.js"],
    ["some", { require: "./a.cjs", import: "./a.js" }, "a.js"],
    ["some", { browser: "./b.js", node: { import: "./n.js" }, default: "./d.js" }, "n.js"],
    ["some", { bun: "./b.js", deno: "./deno.js", default: "./d.js" }, "deno.js"],
    ["some", { ".": [{ browser: "./b.js" }, "./d.js"] }, "d.js"],
    ["some/part", { ".": "./a.js", "./part": "./p.js" }, "p.js"],
    ["some/x/y.js", { "./x/*": "./lib/*" }, "lib/y.js"],
    ["some/x/deep/y", { "./*": "./all/*.js", "./x/*": "./lib/*.js" }, "lib/deep/y.js"],
    ["some/x/secret", { "./x/*": "./lib/*.js", "./x/secret": null }, undefined],
    ["some/other", { ".": "./a.js" }, undefined],
    ["some", { ".": "../outside.js" }, undefined],
  ])("finds %s in exports %j: %s", (specifier, exports, expected) => {
    expect(resolve(specifier, { exports })).toBe(expected);
  });

  // Older packages have no exports.
  test.each([
    ["some", {}, ["index.js"], "index.js"],
    ["some", { main: "lib" }, ["lib/index.js"], "lib/index.js"],
    ["some", { main: "lib/main" }, ["lib/main.js"], "lib/main.js"],
    ["some/part", {}, ["part.js"], "part.js"],
    ["some/part.json", {}, ["part.json"], "part.json"],
    ["some", {}, [], undefined],
  ])("finds %s of a package with %j and %j: %s", (specifier, manifest, files, expected) => {
    expect(resolve(specifier, manifest, files)).toBe(expected);
  });

  // The nearest `node_modules` folder is used.
  test("looks in every folder above the file, for scoped names too", () => {
    write(join(folder, "node_modules/@a/b/package.json"), '{ "main": "far.js" }');
    write(join(folder, "node_modules/@a/b/far.js"), "");
    expect(installedFile("@a/b", plugin)).toBe(join(folder, "node_modules/@a/b/far.js"));
    write(join(plugin, "node_modules/@a/b/package.json"), '{ "main": "near.js" }');
    write(join(plugin, "node_modules/@a/b/near.js"), "");
    expect(installedFile("@a/b", plugin)).toBe(join(plugin, "node_modules/@a/b/near.js"));
    expect(installedFile("@a/none", plugin)).toBe(undefined);
  });
});

describe("isCommonJs", () => {
  test("goes by the extension, then by the nearest package.json", () => {
    write(join(folder, "esm/package.json"), '{ "type": "module" }');
    write(join(folder, "cjs/package.json"), "{}");
    const is = (path: string) => isCommonJs(join(folder, path));
    expect([is("esm/a.js"), is("esm/a.cjs"), is("cjs/a.js"), is("cjs/a.mjs"), is("cjs/a.json")])
      .toEqual([false, true, true, false, false]);
  });
});

function write(path: string, text: string): void {
  mkdirSync(dirname(path), { recursive: true });
  writeFileSync(path, text);
}
