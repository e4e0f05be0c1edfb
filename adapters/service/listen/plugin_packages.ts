/**
 * Finds packages that a plugin's module imports and that are not installed. Both runtimes would install
 * them from a registry, where anyone may own the name: Bun for every import, Deno for `npm:` and
 * `jsr:`. So the check comes before the module is loaded.
 *
 * @module
 */
import { existsSync, readFileSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, extname, join, resolve } from "node:path";
import { runtimeName } from "../../runtime/runtime.ts";
import { moduleSpecifiers } from "./module_specifiers.ts";

declare const Bun: {
  readonly Transpiler: new (options: { loader: string }) => {
    scanImports(code: string): { readonly path: string }[];
  };
};

/** The file extensions that Bun loads as modules, and the loader of each. */
const LOADERS: Readonly<Record<string, string>> = {
  ...{ ".ts": "ts", ".mts": "ts", ".cts": "ts", ".tsx": "tsx" },
  ...{ ".js": "js", ".mjs": "js", ".cjs": "js", ".jsx": "jsx" },
};

/** A package that is not installed. */
export interface MissingPackage {
  /** Its name; on Deno the specifier, such as `npm:left-pad@1`. */
  readonly name: string;
  /** The file that imports it. */
  readonly importer: string;
}

/**
 * The first missing package that a module imports, itself or through modules that it imports by path. A
 * module in the folder `own` can import the dependencies of this project.
 */
export function missingPackage(module: string, own: string): MissingPackage | undefined {
  const isBun = runtimeName() === "bun";
  const seen = new Set<string>([module]);
  for (const file of seen) {
    for (const specifier of isBun ? importsOf(file) : moduleSpecifiers(textOf(file))) {
      if (/^\.{0,2}\//.test(specifier)) {
        const next = moduleAt(resolve(dirname(file), specifier));
        if (next !== undefined) seen.add(next);
      } else if (isBun && !isThere(specifier, dirname(file), own)) {
        return { name: packageOf(specifier), importer: file };
      } else if (!isBun && !isLocked(specifier, own)) {
        return { name: specifier, importer: file };
      }
    }
  }
  return undefined;
}

/**
 * Deno downloads nothing new for a specifier in its lock file. For any other version, cached or not, it
 * queries the registry for every package of the project again.
 */
function isLocked(specifier: string, own: string): boolean {
  if (!/^(npm|jsr):/.test(specifier)) return true;
  const [, requirement] = /^((?:npm|jsr):\/?(?:@[^/]+\/)?[^/]+)/.exec(specifier) ?? [];
  return textOf(join(own, "deno.lock")).includes(`"${requirement}": "`);
}

function importsOf(file: string): string[] {
  const loader = LOADERS[extname(file)];
  if (loader === undefined) return [];
  try {
    const code = readFileSync(file, "utf8");
    return new Bun.Transpiler({ loader }).scanImports(code).map(({ path }) => path);
  } catch {
    // Loading the module reports the error.
    return [];
  }
}

/** Resolves a path as Bun does: with an omitted extension, or to the index of a folder. */
function moduleAt(path: string): string | undefined {
  const extensions = Object.keys(LOADERS);
  const written = path.replace(/\.[mc]?jsx?$/, "");
  const candidates = [path, ...extensions.map((one) => path + one)]
    .concat(
      extensions.map((one) => written + one),
      extensions.map((one) => join(path, "index" + one)),
    );
  return candidates.find((one) => extname(one) in LOADERS && existsSync(one));
}

/** The package of a specifier: `@scope/name` for `@scope/name/part`. */
function packageOf(specifier: string): string {
  const [, scheme, rest] = /^(npm:|jsr:)?(.*)$/.exec(specifier) as unknown as string[];
  if (scheme !== undefined) return scheme + packageOf(rest!);
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

function isThere(specifier: string, folder: string, own: string): boolean {
  // `node:fs`, `bun:ffi`, `#internal`, `https://...`: not installed by name.
  if (isBuiltin(specifier) || /^(#|bun$|bun:|node:|file:|data:|https?:)/.test(specifier)) {
    return true;
  }
  const name = packageOf(specifier);
  for (let at = folder;; at = dirname(at)) {
    if (existsSync(join(at, "node_modules", name)) || isNamedBy(at, name, specifier)) return true;
    if (at === own && textOf(join(at, "package.json")).includes(`"${name}": "`)) return true;
    if (at === dirname(at)) return false;
  }
}

/** Whether a folder is the package itself, or its tsconfig.json maps the specifier to a path. */
function isNamedBy(folder: string, name: string, specifier: string): boolean {
  return textOf(join(folder, "package.json")).includes(`"name": "${name}"`) ||
    [...textOf(join(folder, "tsconfig.json")).matchAll(/"([^"*]+)(\*?)"\s*:\s*\[/g)]
      .some(([, start, star]) => star ? specifier.startsWith(start!) : specifier === start);
}

function textOf(file: string): string {
  try {
    return readFileSync(file, "utf8");
  } catch {
    return "";
  }
}
