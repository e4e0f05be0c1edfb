import { readFileSync } from "node:fs";
import { join } from "node:path";
import { describe, expect, test } from "bun:test";
import { formatLayers, layerOf } from "./support/layers.ts";
import {
  type Import,
  importsOf,
  lineAt,
  ROOT,
  type SourceFile,
  sourceFiles,
} from "./support/source_files.ts";

const PURE = ["core/wire", "core/buffers", "core/tcp", "core/udp", "core/stack"];
/** Declares the events that the driver waits on; the core itself only receives packets. */
const LINK_CONTRACT = "core/stack/link.ts";
/** The public types of a stack, of datagrams and of errors name each other. */
const API_TYPES = "core/api/types.ts";
const PRODUCT = ["mod.ts", "main.ts", "exports", "core", "adapters", "plugins"];
const product = sourceFiles(...PRODUCT);
const all = [...product, ...sourceFiles("tests", "release")];

describe("layers", () => {
  // A reader of a file knows that everything it uses is in a lower layer.
  test("imports point down", () => {
    const offenders = product.flatMap((file) => {
      const layer = layerOf(file.path);
      if (layer?.imports === undefined) return [];
      return importsOf(file)
        .filter(({ target }) => ![layer.folder, ...layer.imports!].some((at) => isIn(target, at)))
        .filter(({ target, typeOnly }) =>
          !(layer.folder === "plugins" && target === "mod.ts" && typeOnly)
        )
        .map((imported) => describeImport(file, imported));
    });
    expect(offenders).toEqual([]);
  });

  // Imports of types count too, so that a file can be understood with the files that it imports.
  test("no files of the core import each other in a circle", () => {
    expect(importCycles(product.filter(({ path }) => isIn(path, "core") && path !== API_TYPES)))
      .toEqual([]);
    expect(importCycles(product, ({ typeOnly }) => !typeOnly)).toEqual([]);
  });

  // Contributors look there before they add a file.
  test("CONTRIBUTING.md says what each folder holds and may import", () => {
    const lines = readFileSync(join(ROOT, "CONTRIBUTING.md"), "utf8").split("\n")
      .map((line) => line.replace(/ +/g, " "));
    expect(formatLayers().filter((row) => !lines.includes(row))).toEqual([]);
  });

  // plugins/http.ts and plugins/http/ are one plugin; plugins/shared is for all of them.
  test("plugins do not import each other", () => {
    const offenders = product.filter(({ path }) => isIn(path, "plugins")).flatMap((file) =>
      importsOf(file)
        .filter(({ target }) => isIn(target, "plugins") && !isIn(target, "plugins/shared"))
        .filter(({ target }) => pluginOf(target) !== pluginOf(file.path))
        .map((imported) => describeImport(file, imported))
    );
    expect(offenders).toEqual([]);
  });

  // numbers.ts gives each number a least and a largest value: 0 or NaN in the wrong place would block the event loop.
  test("numbers of options come from core/api/numbers.ts", () => {
    const offenders = product.filter(({ path, text }) =>
      path !== "core/api/numbers.ts" &&
      /\bz\s*\.\s*(number|int|int32|uint32|float32|float64|coerce|nan)\b/.test(text)
    );
    expect(offenders.map(({ path }) => path)).toEqual([]);
  });

  // Only adapters know which runtime they run on.
  test("only adapters name a runtime", () => {
    const shared = product.filter(({ path }) => !isIn(path, "adapters"));
    const modules = shared.flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => /^(node|bun|deno):|^hono\/(deno|bun)/.test(specifier))
        .map((imported) => describeImport(file, imported))
    );
    expect([...modules, ...matches(shared, /\b(Deno|Bun|process|Buffer)\b(?=\.)/g)]).toEqual([]);
  });

  // The lib of tsconfig.core.json has no timers and no console, but these are part of the language.
  test("the core is synchronous and takes time and randomness as arguments", () => {
    const core = product
      .filter(({ path }) => PURE.some((folder) => isIn(path, folder)))
      .filter(({ path }) => path !== LINK_CONTRACT);
    const impure =
      /\b(async|await|Promise|Date|console|performance|crypto|queueMicrotask|set(Timeout|Interval|Immediate))\b|Math\.random|Atomics\.wait/g;
    expect(matches(core, impure)).toEqual([]);
  });
});

describe("sources", () => {
  // Tests and checks have to work where the npm registry is all that can be reached.
  test("nothing comes from outside the npm registry", () => {
    const outside = all.flatMap((file) =>
      importsOf(file)
        .filter(({ specifier }) => /^(jsr|https?|git):/.test(specifier))
        .map((imported) => describeImport(file, imported))
    );
    const manifests = ["deno.json", "deno.lock", "package.json", "bun.lock"]
      .filter((path) => /jsr:|https?:\/\//.test(readFileSync(join(ROOT, path), "utf8")));
    expect([...outside, ...manifests]).toEqual([]);
  });

  // One form, so that a search for "RFC 9293 3.10" finds every decision of that section.
  test("RFCs are cited as number and section, RFC 9293 3.10.7.4", () => {
    const odd =
      /\brfc[ -]?\d|\bRFC[-_#]?\d|\bRFC {2,}\d|\bRFC \d+,? ?(?:[Ss]ect|[Ss]ec\b|§|[Ss]\.? ?\d)/g;
    expect(all.flatMap((file) => matchesIn(file, file.comments, odd))).toEqual([]);
  });

  // A reader of a call knows whether to await it: openTun, openUdpLink, connectHost.
  test("exported functions that open something and return a promise are named open or connect", () => {
    const opening = product.filter(({ path }) => isIn(path, "adapters/links")).flatMap((file) =>
      [...file.code.matchAll(/^export (?:async )?function (\w+)\([^{]*?\): Promise<(\w+)>/gm)]
        .filter(([, , result = ""]) => /Link$|Port$/.test(result))
        .map(([, name = ""]) => name)
    );
    expect(opening.length).toBeGreaterThan(3);
    expect(opening.filter((name) => !/^(open|connect)[A-Z]/.test(name))).toEqual([]);
  });

  // Unfinished work belongs in the issue tracker, and every test has to run.
  test("nothing is left unfinished", () => {
    const marks = /\b(TODO|FIXME|XXX|HACK)\b/g;
    const unrun = /\b(test|it|describe)\.(skip|only|todo|skipIf|if)\b/g;
    const tests = all.filter(({ path }) => path.endsWith("_test.ts"));
    const comments = all.flatMap((file) => matchesIn(file, file.comments, marks));
    expect([...comments, ...matches(tests, unrun)]).toEqual([]);
  });

  // Both runtimes find tests by that name.
  test("test files are named *_test.ts and stand under tests/, and only they do", () => {
    const misnamed = all
      .filter(({ path }) => !isIn(path, "tests/support") && !path.endsWith("_conformance.ts"))
      .filter((file) => {
        const tests = importsOf(file).some(({ specifier }) => specifier === "bun:test");
        return tests !== (isIn(file.path, "tests") && file.path.endsWith("_test.ts"));
      });
    expect(misnamed.map(({ path }) => path)).toEqual([]);
  });
});

describe("size", () => {
  // Larger middleware should be a plugin. Comments and empty lines do not count.
  test("a middleware has fewer than 60 lines of code", () => {
    const middleware = product.filter(({ path }) => isIn(path, "plugins/middleware"));
    const long = middleware
      .map(({ path, code }) => ({ path, lines: code.match(/^.*\S.*$/gm)!.length }))
      .filter(({ lines }) => lines >= 60);
    expect(middleware.length).toBeGreaterThan(0);
    expect(long).toEqual([]);
  });
});

/** Groups of files that reach each other by their imports (Tarjan's strongly connected components). */
function importCycles(
  files: readonly SourceFile[],
  counts: (imported: Import) => boolean = () => true,
): string[][] {
  const imports = new Map(
    files.map((file) => [file.path, importsOf(file).filter(counts).map(({ target }) => target)]),
  );
  const order = new Map<string, number>();
  const path: string[] = [];
  const cycles: string[][] = [];
  const visit = (file: string): number => {
    const own = order.size;
    let lowest = own;
    order.set(file, own);
    path.push(file);
    for (const target of imports.get(file)!) {
      if (!imports.has(target)) continue;
      if (!order.has(target)) lowest = Math.min(lowest, visit(target));
      else if (path.includes(target)) lowest = Math.min(lowest, order.get(target)!);
    }
    if (lowest === own) {
      const cycle = path.splice(path.indexOf(file));
      if (cycle.length > 1) cycles.push(cycle.sort());
    }
    return lowest;
  };
  for (const { path: file } of files) if (!order.has(file)) visit(file);
  return cycles;
}

function isIn(path: string, folder: string): boolean {
  return path === folder || path.startsWith(`${folder}/`);
}

function pluginOf(path: string): string {
  return path.split("/")[1]?.replace(/\.ts$/, "") ?? "";
}

function describeImport(file: SourceFile, { line, specifier }: Import): string {
  return `${file.path}:${line}: imports ${specifier}`;
}

function matches(files: readonly SourceFile[], pattern: RegExp): string[] {
  return files.flatMap((file) => matchesIn(file, file.code, pattern));
}

function matchesIn(file: SourceFile, text: string, pattern: RegExp): string[] {
  return [...text.matchAll(pattern)]
    .map((match) => `${file.path}:${lineAt(text, match.index)}: ${match[0]}`);
}
