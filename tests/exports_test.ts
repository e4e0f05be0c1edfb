import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import * as browser from "../exports/browser.ts";
import * as host from "../exports/host.ts";
import * as links from "../exports/links.ts";
import * as middleware from "../exports/middleware.ts";
import * as plugins from "../exports/plugins.ts";
import * as testing from "../exports/testing.ts";
import * as main from "../mod.ts";
import { importsOf, ROOT, sourceFiles } from "./support/source_files.ts";

const manifest = (name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8"));

describe("exports", () => {
  // Otherwise two programs of the same kind would import the same thing from different places.
  test("each name has one home; a network for tests repeats what it needs from links", () => {
    const homes = Object.entries({ main, host, links, middleware, plugins });
    const names = homes.flatMap(([, module]) => Object.keys(module));
    expect(names.filter((name, at) => names.indexOf(name) !== at)).toEqual([]);
    const repeated = Object.keys(testing).filter((name) => names.includes(name));
    expect(repeated).toEqual(Object.keys(testing).filter((name) => name in links));
  });

  // Internal names may change in any release; many names in one entry point are hard to search.
  test("no entry point exports an internal name, and none has more than forty values", () => {
    const internal = /\b(?:Shard|ShardPacket|ForeignPacket|Tcb|Demux|PortHost|Driver)\b/;
    const lists = [...sourceFiles("exports"), ...sourceFiles("mod.ts")].flatMap(({ path, text }) =>
      [...text.matchAll(/^export (?:type )?\{([^}]*)\}/gm)].map(([, names]) => `${path}: ${names}`)
    );
    expect(lists.length).toBeGreaterThan(10);
    expect(lists.filter((names) => internal.test(names))).toEqual([]);
    const sizes = [main, host, links, middleware, plugins, testing].map((one) =>
      Object.keys(one).length
    );
    expect(Math.max(...sizes)).toBeLessThanOrEqual(40);
  });

  // JSR reads `deno.json`, npm reads `package.json`.
  test("deno.json and package.json have the same entry points", () => {
    expect(manifest("package.json").exports).toEqual(manifest("deno.json").exports);
    const files = sourceFiles("exports").map(({ path }) => `./${path}`);
    expect(Object.values(manifest("deno.json").exports)).toEqual(
      expect.arrayContaining(["./mod.ts", "./main.ts", ...files]),
    );
  });

  // Deno may be offline when a plugin imports an entry point, and a compiled program has only those that it was
  // compiled with.
  test("the service loads each entry point that a plugin can import, and so does a compiled program", () => {
    const files = Object.entries(manifest("deno.json").exports)
      .filter(([entry]) => entry !== "./cli" && entry !== "./browser")
      .map(([, path]) => String(path).slice(2));
    const importers = [
      "adapters/service/listen/host_packages.ts",
      "release/binary/plugin_modules.ts",
    ];
    for (const importer of importers) {
      const [file] = sourceFiles(importer);
      const targets = importsOf(file!).map(({ target }) => target);
      expect(files.filter((path) => !targets.includes(path))).toEqual([]);
    }
    const text = sourceFiles(importers[1]!)[0]!.text;
    const names = files.map((path) => `"${entryOf(path)}":`);
    expect(names.filter((name) => !text.includes(name))).toEqual([]);
  });

  // The service's dependencies must not cost users of the library start time or memory.
  test("the library reaches no module of the service", () => {
    const byPath = new Map(
      sourceFiles("mod.ts", "exports", "core", "adapters", "plugins").map((one) => [one.path, one]),
    );
    const reached = new Set(["mod.ts", ...sourceFiles("exports").map(({ path }) => path)]);
    for (const path of reached) {
      const file = byPath.get(path);
      for (const { target } of file === undefined ? [] : importsOf(file)) reached.add(target);
    }
    expect([...reached].filter((path) => path.startsWith("adapters/service/"))).toEqual([]);
  });

  // OpenTelemetry is loaded by programs that import it, the SDK by a service that is scraped.
  test("only the telemetry entry point loads OpenTelemetry, and nothing loads the SDK at once", () => {
    const files = sourceFiles("mod.ts", "main.ts", "exports", "core", "adapters", "plugins");
    const byPath = new Map(files.map((one) => [one.path, one]));
    const packagesOf = (...entries: string[]) => {
      const reached = new Set(entries);
      for (const path of reached) {
        const file = byPath.get(path);
        const imported = file === undefined ? [] : importsOf(file);
        const loaded = imported.filter(({ typeOnly, line }) =>
          !typeOnly && !file!.text.split("\n")[line - 1]!.includes("import(")
        );
        for (const { target } of loaded) reached.add(target);
      }
      return [...reached].filter((target) => target.startsWith("@opentelemetry/"));
    };
    const entries = sourceFiles("exports").map(({ path }) => path);
    const untraced = entries.filter((path) => path !== "exports/telemetry.ts");
    expect(packagesOf("mod.ts", ...untraced)).toEqual([]);
    expect(packagesOf("exports/telemetry.ts")).toEqual(["@opentelemetry/api"]);
    expect(packagesOf("adapters/service/cli/command_line.ts")).toEqual(["@opentelemetry/api"]);
    expect(packagesOf("adapters/service/metrics/prometheus.ts").sort()).toEqual([
      "@opentelemetry/exporter-prometheus",
      "@opentelemetry/sdk-metrics",
    ]);
  });

  // Deno fetches these modules with the program; a thread that starts later may have no network.
  test("the program reaches the module that a worker runs", () => {
    const byPath = new Map(
      sourceFiles("main.ts", "exports", "core", "adapters", "plugins").map((
        one,
      ) => [one.path, one]),
    );
    const reached = new Set(["main.ts"]);
    for (const path of reached) {
      const file = byPath.get(path);
      for (const { target } of file === undefined ? [] : importsOf(file)) reached.add(target);
    }
    expect([...reached]).toContain("adapters/service/workers/worker.ts");
  });

  // A page has no other entry point that its bundler could follow to node: modules.
  test("the browser's entry point has the stack", () => {
    expect(browser.createStack).toBe(main.createStack);
  });
});

function entryOf(path: string): string {
  return `@berth/berth/${path.replace(/^exports\/|\.ts$/g, "")}`.replace("/mod", "");
}
