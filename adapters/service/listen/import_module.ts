/**
 * Imports modules of plugins, and again when their code has changed.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import * as nodeModule from "node:module";
import { relative, sep } from "node:path";
import { pathToFileURL } from "node:url";
import { runtimeName } from "../../runtime/runtime.ts";
import { provideHostPackages } from "./bun_sources.ts";
import { addVersion, resolvePackagesFor } from "./deno_hooks.ts";
import { importUrl } from "./import_url.ts";
import { digestOf, moduleGraph } from "./module_graph.ts";

/** The versions of a plugin's code that are in memory. */
interface LoadedCode {
  /** The digest of the version that was loaded without a query. */
  readonly first: string;
  /** The digest of the version that was loaded last. */
  last: string;
}

const loaded = new Map<string, LoadedCode>();

/** The files of a plugin that are loaded again after a change. `own` is the folder of this project. */
export function pluginFiles(module: string, own: string): readonly string[] {
  return moduleGraph(module, (file) => isShared(file, own)).files;
}

/**
 * Whether a file is part of berth or of a package: these are loaded once, so that classes and state that
 * plugins share with the service stay the same.
 */
function isShared(file: string, own: string): boolean {
  if (file.includes(`${sep}node_modules${sep}`)) return true;
  return /^(?:(?:core|plugins|adapters|exports)[/\\]|mod\.ts$)/.test(relative(own, file));
}

/** A digest of the code of a plugin. */
export function codeDigest(module: string, own: string): string {
  return digestOf(pluginFiles(module, own));
}

/**
 * Imports a module; if its code or that of its imports by path has changed since, all of them are loaded again. Each
 * changed version stays in memory, but no version is loaded twice on Deno.
 */
export async function importModule(module: string, own: string): Promise<{ default?: unknown }> {
  const files = pluginFiles(module, own);
  provideHost(files, own);
  const digest = digestOf(files);
  const url = pathToFileURL(module).href;
  const code = loaded.get(module);
  if (code === undefined) {
    loaded.set(module, { first: digest, last: digest });
    return await importUrl(url);
  }
  if (runtimeName() === "bun") {
    // Deleting an entry of this cache unloads ES modules too.
    const { cache } = nodeModule.createRequire(url);
    if (code.last !== digest) { for (const file of files) delete cache[realpathSync(file)]; }
    code.last = digest;
    return await importUrl(url);
  }
  code.last = digest;
  if (digest === code.first) return await importUrl(url);
  addVersion(digest, files);
  return await importUrl(`${url}?v=${digest}`);
}

/** Makes files outside this project import packages from it. */
function provideHost(files: readonly string[], own: string): void {
  const outside = files.filter((file) => relative(own, file).startsWith(".."));
  if (outside.length === 0) return;
  if (runtimeName() === "bun") provideHostPackages(outside, own);
  else resolvePackagesFor(outside, own);
}
