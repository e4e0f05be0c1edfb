/**
 * Finds packages that a plugin's module imports and that are not installed. Both runtimes would install
 * them from a registry, where anyone may own the name: Bun for every import, Deno for `npm:` and
 * `jsr:`. So the check comes before the module is loaded.
 *
 * @module
 */
import { existsSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, join } from "node:path";
import { runtimeName } from "../../runtime/runtime.ts";
import { isHostPackage, OWN_ENTRY_POINTS } from "./host_packages.ts";
import { packageName } from "./installed_packages.ts";
import { moduleGraph, textOf } from "./module_graph.ts";

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
  for (const { name, importer } of moduleGraph(module).packages) {
    if (isBun && !isInstalled(name, dirname(importer), own)) {
      return { name: packageOf(name), importer };
    }
    if (!isBun && !isLocked(name, own)) return { name, importer };
  }
  return undefined;
}

/**
 * The first import of an entry point that `@berth/berth` does not have, in the module or in modules that it imports
 * by path.
 */
export function unknownEntryPoint(module: string): MissingPackage | undefined {
  return moduleGraph(module).packages.find(({ name }) =>
    /^@berth\/berth\/(?!.*\.json$)/.test(name) && !OWN_ENTRY_POINTS.includes(name)
  );
}

/**
 * Whether a specifier is in Deno's lock file, so that Deno downloads nothing for it. For any other version, cached or
 * not, Deno queries the registry again for every package of the project.
 */
export function isLocked(specifier: string, own: string): boolean {
  if (!/^(npm|jsr):/.test(specifier)) return true;
  const [, requirement] = /^((?:npm|jsr):\/?(?:@[^/]+\/)?[^/]+)/.exec(specifier) ?? [];
  return textOf(join(own, "deno.lock")).includes(`"${requirement}": "`);
}

/** The package of a specifier: `@scope/name` for `@scope/name/part`. */
function packageOf(specifier: string): string {
  const [, scheme, rest] = /^(npm:|jsr:)?(.*)$/.exec(specifier) as unknown as string[];
  return (scheme ?? "") + packageName(rest!);
}

/** Whether Bun finds the package of a specifier without a registry; see {@link missingPackage}. */
export function isInstalled(specifier: string, folder: string, own: string): boolean {
  // Specifiers such as `node:fs`, `bun:ffi`, `#internal` and `https://...` name no package that is installed.
  if (isBuiltin(specifier) || /^(#|bun$|bun:|node:|file:|data:|https?:)/.test(specifier)) {
    return true;
  }
  if (isHostPackage(specifier)) return true;
  const name = packageOf(specifier);
  for (let at = folder;; at = dirname(at)) {
    if (existsSync(join(at, "node_modules", name)) || isSelfReference(at, name, specifier)) {
      return true;
    }
    if (at === own && textOf(join(at, "package.json")).includes(`"${name}": "`)) return true;
    if (at === dirname(at)) return false;
  }
}

/** Whether a folder is the package itself, or its tsconfig.json maps the specifier to a path. */
function isSelfReference(folder: string, name: string, specifier: string): boolean {
  return textOf(join(folder, "package.json")).includes(`"name": "${name}"`) ||
    [...textOf(join(folder, "tsconfig.json")).matchAll(/"([^"*]+)(\*?)"\s*:\s*\[/g)]
      .some(([, start, star]) => star ? specifier.startsWith(start!) : specifier === start);
}
