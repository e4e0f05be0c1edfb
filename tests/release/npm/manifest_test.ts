import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { createManifest, npmManifest } from "../../../release/npm/manifest.ts";
import { ROOT } from "../../support/source_files.ts";

const read = (name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8"));
const manifest = npmManifest(read("deno.json"), read("package.json"));

describe("the manifest of the npm package", () => {
  // Both registries have the same version of the same name.
  test("has the name, version and entry points of deno.json", () => {
    const { name, version, exports } = read("deno.json");
    expect(manifest).toMatchObject({ name, version });
    expect(Object.keys(manifest.exports)).toEqual(
      expect.arrayContaining(Object.keys(exports)),
    );
    expect(manifest.exports["."]).toEqual({ types: "./mod.d.ts", default: "./mod.js" });
  });

  // Users do not install what only the tests need.
  test("has no development dependency and no script", () => {
    expect(manifest.dependencies).toEqual(read("package.json").dependencies);
    expect(Object.keys(manifest)).not.toContain("devDependencies");
    expect(Object.keys(manifest)).not.toContain("scripts");
  });

  // Users get the versions that were tested.
  test("pins its dependencies", () => {
    const loose = Object.values(manifest.dependencies).filter((one) => !/^\d/.test(String(one)));
    expect(loose).toEqual([]);
  });
});

describe("the manifest of create-berth", () => {
  const created = createManifest(read("deno.json"), read("package.json"));

  // The templates name the version of the package that they are in.
  test("depends on the same version of the package, and on nothing else", () => {
    const { name, version } = manifest;
    expect(created.version).toBe(version);
    expect(created.dependencies).toEqual({ [name]: version });
  });

  // npm, Bun and Deno derive the name from the argument of their commands.
  test("has a program of the name that package managers run", () => {
    expect([created.name, created.bin]).toEqual(["create-berth", { "create-berth": "create.js" }]);
  });
});
