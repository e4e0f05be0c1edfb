/**
 * The files of a module: itself and its imports by path.
 *
 * @module
 */
import { createHash } from "node:crypto";
import { existsSync, readFileSync } from "node:fs";
import { dirname, extname, join, resolve } from "node:path";
import { runtimeName } from "../../runtime/runtime.ts";
import { moduleSpecifiers } from "./module_specifiers.ts";

interface Transpiler {
  scanImports(code: string): { readonly path: string }[];
}

declare const Bun: { readonly Transpiler: new (options: { loader: string }) => Transpiler };

/** The file extensions that Bun loads as modules, and the loader of each. */
export const LOADERS: Readonly<Record<string, string>> = {
  ...{ ".ts": "ts", ".mts": "ts", ".cts": "ts", ".tsx": "tsx" },
  ...{ ".js": "js", ".mjs": "js", ".cjs": "js", ".jsx": "jsx" },
};

/** A module with all modules that it imports by path, directly or through others. */
export interface ModuleGraph {
  /** The files, the module itself first. */
  readonly files: readonly string[];
  /** Imports by name, in the order in which they were found. */
  readonly packages: readonly { readonly name: string; readonly importer: string }[];
}

/**
 * The graph of a module, without the files for which `isShared` is true, and without those that only these files
 * import. Imports of a computed specifier are not found.
 */
export function moduleGraph(
  module: string,
  isShared: (file: string) => boolean = () => false,
): ModuleGraph {
  const files = new Set<string>([module]);
  const packages: { name: string; importer: string }[] = [];
  for (const importer of files) {
    for (const name of specifiersOf(importer)) {
      if (!/^\.{0,2}\//.test(name)) {
        packages.push({ name, importer });
        continue;
      }
      const next = moduleAt(resolve(dirname(importer), name));
      if (next !== undefined && !isShared(next)) files.add(next);
    }
  }
  return { files: [...files], packages };
}

/** A digest of the contents of files. */
export function digestOf(files: readonly string[]): string {
  const hash = createHash("sha256");
  for (const file of files) hash.update(`${file}\0${textOf(file)}\0`);
  return hash.digest("hex").slice(0, 16);
}

/** The text of a file; empty if it cannot be read. */
export function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}

/** A file as it was read last, and what it imports. */
interface ParsedFile {
  readonly text: string;
  readonly specifiers: readonly string[];
}

/** Files that were parsed before, because every reload asks several times for the imports of unchanged files. */
const parsed = new Map<string, ParsedFile>();

function specifiersOf(file: string): readonly string[] {
  const text = textOf(file);
  const before = parsed.get(file);
  if (before?.text === text) return before.specifiers;
  const specifiers = runtimeName() === "bun" ? importsOf(file, text) : moduleSpecifiers(text);
  parsed.set(file, { text, specifiers });
  return specifiers;
}

/**
 * One transpiler per loader, because each holds memory outside the heap, which the garbage collector does not count.
 */
const transpilers = new Map<string, Transpiler>();

function importsOf(file: string, text: string): string[] {
  const loader = LOADERS[extname(file)];
  if (loader === undefined) return [];
  let transpiler = transpilers.get(loader);
  if (transpiler === undefined) {
    transpilers.set(loader, transpiler = new Bun.Transpiler({ loader }));
  }
  try {
    return transpiler.scanImports(text).map(({ path }) => path);
  } catch {
    // Loading the module reports the error.
    return [];
  }
}

/** Resolves a path as Bun does: with an omitted extension, or to the index of a folder. */
function moduleAt(path: string): string | undefined {
  if (extname(path) in LOADERS && existsSync(path)) return path;
  const extensions = Object.keys(LOADERS);
  const written = path.replace(/\.[mc]?jsx?$/, "");
  const candidates = extensions.map((one) => path + one)
    .concat(
      extensions.map((one) => written + one),
      extensions.map((one) => join(path, "index" + one)),
    );
  return candidates.find((one) => extname(one) in LOADERS && existsSync(one));
}
