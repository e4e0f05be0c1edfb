/**
 * Bun calls its plugins to load the source of a module, but not to resolve the name of a package. So the names of
 * packages of the host are replaced in the source.
 *
 * @module
 */
import { readFileSync, realpathSync } from "node:fs";
import { dirname, extname } from "node:path";
import { hostModuleUrl, isHostPackage, isOwnEntryPoint } from "./host_packages.ts";
import { installedFile } from "./installed_packages.ts";
import { LOADERS } from "./module_graph.ts";
import { mapSpecifiers, moduleSpecifiers } from "./module_specifiers.ts";

declare const Bun: {
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

/** Makes these files import packages of the host from now on. */
export function provideHostPackages(files: readonly string[]): void {
  for (const each of files) {
    const file = realpathSync(each);
    if (changed.has(file) || !importsFromHost(file)) continue;
    changed.add(file);
    Bun.plugin({
      name: "berth-host",
      setup(build) {
        const filter = new RegExp(`^${file.replace(/[\\^$.*+?()[\]{}|]/g, "\\$&")}$`);
        build.onLoad({ filter }, ({ path }) => ({
          contents: mapSpecifiers(readFileSync(path, "utf8"), (name) => hostNameFor(name, path)),
          loader: LOADERS[extname(path)] ?? "js",
        }));
      },
    });
  }
}

/**
 * Whether a module imports a package of the host. CommonJS modules are left out, because Bun would load changed
 * source as an ES module.
 */
function importsFromHost(file: string): boolean {
  const isCommonJs = /\.c[jt]s$/.test(file);
  return !isCommonJs && moduleSpecifiers(readFileSync(file, "utf8")).some(isHostPackage);
}

function hostNameFor(specifier: string, importer: string): string {
  if (!isHostPackage(specifier)) return specifier;
  const isOwn = !isOwnEntryPoint(specifier) &&
    installedFile(specifier, dirname(importer)) !== undefined;
  return isOwn ? specifier : hostModuleUrl(specifier) ?? specifier;
}
