/**
 * Bun calls its plugins to load the source of a module, but not to resolve the name of a package. So the names of
 * packages of the host are replaced in the source, and imports of a name that is computed lead to a function
 * that checks it: Bun would install a package that is missing.
 *
 * @module
 */
import { readFileSync, realpathSync } from "node:fs";
import { isBuiltin } from "node:module";
import { dirname, extname } from "node:path";
import { pathToFileURL } from "node:url";
import { hostModuleUrl, isHostPackage, isOwnEntryPoint } from "./host_packages.ts";
import { importUrl } from "./import_url.ts";
import { installedFile } from "./installed_packages.ts";
import { LOADERS } from "./module_graph.ts";
import { mapSpecifiers, replaceComputedImports } from "./module_specifiers.ts";
import { isInstalled } from "./plugin_packages.ts";

declare const Bun: {
  resolveSync(specifier: string, folder: string): string;
  plugin(plugin: {
    readonly name: string;
    setup(build: {
      onLoad(
        constraints: { readonly filter: RegExp },
        load: (file: { readonly path: string }) => { contents: string; loader: string },
      ): void;
    }): void;
  }): void;
};

const changed = new Set<string>();

type Import = (specifier: unknown, options?: ImportCallOptions) => Promise<unknown>;

/** The key of the function that makes the {@link Import} of a file, for the code of plugins. */
const IMPORT_FROM = Symbol.for("berth.import-from");

/** From now on, these files import packages of the host, and none that is not installed. */
export function provideHostPackages(files: readonly string[], own: string): void {
  Object.assign(globalThis, { [IMPORT_FROM]: (file: string) => importFrom(file, own) });
  for (const each of files) {
    const file = realpathSync(each);
    if (changed.has(file) || changedSource(file) === undefined) continue;
    changed.add(file);
    Bun.plugin({
      name: "berth-host",
      setup(build) {
        const filter = new RegExp(`^${file.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`);
        build.onLoad({ filter }, ({ path }) => ({
          contents: changedSource(path) ?? readFileSync(path, "utf8"),
          loader: LOADERS[extname(path)] ?? "js",
        }));
      },
    });
  }
}

/** The source to load; `undefined` if it is the file's own. A CommonJS module would no longer be one. */
function changedSource(file: string): string | undefined {
  if (/\.c[jt]s$/.test(file)) return undefined;
  const code = readFileSync(file, "utf8");
  const callee = `globalThis[Symbol.for("berth.import-from")](${JSON.stringify(file)})`;
  const source = replaceComputedImports(
    mapSpecifiers(code, (name) => hostNameFor(name, file)),
    callee,
  );
  return source === code ? undefined : source;
}

/** Imports as the code of `file` does, except packages that are not installed. */
function importFrom(file: string, own: string): Import {
  return async (specifier, options) => {
    const name = String(specifier);
    if (/^\.{0,2}\//.test(name)) {
      return await importUrl(new URL(name, pathToFileURL(file)).href, options);
    }
    const folder = dirname(file);
    if (!isInstalled(name, folder, own)) {
      throw new Error(`${file} imports ${name}, which is not installed for it`);
    }
    const offered = hostNameFor(name, file);
    if (offered !== name || isBuiltin(name) || /^\w+:/.test(name)) {
      return await importUrl(offered, options);
    }
    return await importUrl(pathToFileURL(Bun.resolveSync(name, folder)).href, options);
  };
}

function hostNameFor(specifier: string, importer: string): string {
  if (!isHostPackage(specifier)) return specifier;
  const isOwn = !isOwnEntryPoint(specifier) &&
    installedFile(specifier, dirname(importer)) !== undefined;
  return isOwn ? specifier : hostModuleUrl(specifier) ?? specifier;
}
