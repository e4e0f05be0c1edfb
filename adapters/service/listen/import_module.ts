/**
 * Imports modules of plugins, and again when their code has changed.
 *
 * @module
 */
import { realpathSync } from "node:fs";
import * as nodeModule from "node:module";
import { relative, sep } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { runtimeName } from "../../runtime/runtime.ts";
import { digestOf, moduleGraph } from "./module_graph.ts";

/** The used part of `node:module`, which neither runtime's types contain completely. */
interface ModuleHooks {
  registerHooks?(hooks: {
    resolve(specifier: string, context: ResolveContext, next: NextResolve): { url: string };
  }): void;
}

interface ResolveContext {
  readonly parentURL?: string | undefined;
}

type NextResolve = (specifier: string, context: ResolveContext) => { url: string };

/** The versions of a plugin's code that are in memory. */
interface LoadedCode {
  /** Of the version that was loaded without a query. */
  readonly first: string;
  /** Of the version that was loaded last. */
  last: string;
}

const loaded = new Map<string, LoadedCode>();
/** The files of each version that is loaded with a query: `?v=DIGEST`. */
const versions = new Map<string, ReadonlySet<string>>();
let hasHooks = false;

/** The files of a plugin whose changes count. `own` is the folder of this project. */
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
 * Imports a module; if its code or that of its imports by path has changed since, all of them are
 * loaded anew. Each changed version stays in memory, but no version is loaded twice on Deno.
 */
export async function importModule(module: string, own: string): Promise<{ default?: unknown }> {
  const files = pluginFiles(module, own);
  const digest = digestOf(files);
  const url = pathToFileURL(module).href;
  const code = loaded.get(module);
  if (code === undefined) {
    loaded.set(module, { first: digest, last: digest });
    return await import(`file:///${url.slice(8)}`);
  }
  if (runtimeName() === "bun") {
    // Removes ES modules too.
    const { cache } = nodeModule.createRequire(url);
    if (code.last !== digest) { for (const file of files) delete cache[realpathSync(file)]; }
    code.last = digest;
    return await import(`file:///${url.slice(8)}`);
  }
  code.last = digest;
  if (digest === code.first) return await import(`file:///${url.slice(8)}`);
  versions.set(digest, new Set(files));
  registerHooks();
  return await import(`file:///${url.slice(8)}?v=${digest}`);
}

/** Loads the imports of a new version anew too. */
function registerHooks(): void {
  if (hasHooks) return;
  hasHooks = true;
  (nodeModule as ModuleHooks).registerHooks?.({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      const [, digest] = /\?v=([0-9a-f]{16})$/.exec(context.parentURL ?? "") ?? [];
      const files = digest === undefined ? undefined : versions.get(digest);
      if (files === undefined || !resolved.url.startsWith("file:")) return resolved;
      return files.has(fileURLToPath(resolved.url))
        ? { ...resolved, url: `${resolved.url}?v=${digest}` }
        : resolved;
    },
  });
}
