import { existsSync, readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { createManifest, npmManifest } from "../../release/npm/manifest.ts";
import { ROOT } from "../support/source_files.ts";

const text = (path: string) => readFileSync(join(ROOT, path), "utf8");
const [deno, checkout] = [JSON.parse(text("deno.json")), JSON.parse(text("package.json"))];
const packages = [npmManifest(deno, checkout), createManifest(deno, checkout)];
const workflow = text(".github/workflows/release.yml");

// The registries cannot be reached from a test, so these are the parts of a release that can be read.
describe("the release workflow", () => {
  // Whoever receives a package can see from which commit it was built.
  test("publishes each package to npm with provenance, and the modules to JSR", () => {
    const published = [...workflow.matchAll(/npm publish (.*) dist\/(\S+)-\*\.tgz/g)];
    const files = packages.map(({ name }) => name.replace("@", "").replace("/", "-"));
    expect(published.map(([, , file]) => file)).toEqual(files);
    for (const [, options] of published) expect(options).toBe("--provenance --access public");
    expect(workflow).toMatch(/^ +- run: deno publish$/m);
    expect(workflow).toMatch(/^ +id-token: write\b/m);
    expect(workflow).not.toMatch(/secrets\.|_TOKEN/);
  });

  test("runs everything that CI runs first, and only programs and tasks that exist", () => {
    expect(workflow.indexOf("bash .ci/run")).toBeGreaterThan(0);
    expect(workflow.indexOf("bash .ci/run")).toBeLessThan(workflow.indexOf("npm publish"));
    const tasks = [...`${workflow}${text(".ci/run")}`.matchAll(/(?:deno|deno@2) task ([\w:]+)/g)];
    expect(tasks.length).toBeGreaterThan(5);
    expect(tasks.filter(([, name]) => deno.tasks[name!] === undefined)).toEqual([]);
    const scripts = [...workflow.matchAll(/bash (\S+)/g)].map(([, path]) => path!);
    expect(scripts.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
  });

  // The checks of the packages have no warnings: each of these programs fails if it finds something.
  test.each([
    /publint run dist\/npm --strict/,
    /publint run dist\/create-berth --strict/,
    /attw dist\/berth-berth-\*\.tgz/,
    /deno@2 task ok/,
    /deno@2 task packages/,
    /deno@2 task site/,
  ])("is preceded by %s", (command) => expect(text(".ci/run")).toMatch(command));
});

describe("SECURITY.md", () => {
  // Otherwise a stranger could own a name that users type.
  test("names each package that the first release has to register", () => {
    const [, section = ""] = text("SECURITY.md").split("## Before publication\n");
    for (const { name, bin } of packages) {
      expect(section).toContain(`\`${name}\``);
      for (const program of Object.keys(bin)) expect(section).toContain(`\`${program}\``);
    }
  });
});

describe("release/Containerfile", () => {
  test("has less than ten lines", () => {
    expect(text("release/Containerfile").trimEnd().split("\n").length).toBeLessThan(10);
  });
});
