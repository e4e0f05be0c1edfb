/**
 * Hooks of Deno's module loader: new versions of a plugin's code, and the packages of plugins that are
 * outside the folder of Deno's configuration.
 *
 * @module
 */
import * as nodeModule from "node:module";
import { dirname } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
import { hostModuleUrl, isHostPackage, isOwnEntryPoint } from "./host_packages.ts";
import { installedFile, isCommonJs, packageName } from "./installed_packages.ts";
import { isLocked } from "./plugin_packages.ts";

/** The used part of `node:module`, which neither runtime's types contain completely. */
interface ModuleHooks {
  registerHooks?(hooks: {
    resolve(specifier: string, context: ResolveContext, next: NextResolve): Resolved;
    load?(
      url: string,
      context: LoadContext,
      next: (url: string, context: LoadContext) => Loaded,
    ): Loaded;
  }): void;
}

interface LoadContext {
  readonly conditions?: readonly string[];
}

interface ResolveContext extends LoadContext {
  readonly parentURL?: string | undefined;
}

interface Resolved {
  readonly url: string;
  readonly shortCircuit?: boolean;
}

interface Loaded {
  readonly source?: unknown;
  readonly format?: string;
  readonly shortCircuit?: boolean;
}

type NextResolve = (specifier: string, context: ResolveContext) => Resolved;

/** The files of each version that is loaded with a query: `?v=DIGEST`. */
const versions = new Map<string, ReadonlySet<string>>();
/** Files outside the folder of Deno's configuration, and the files that they import. */
const outside = new Set<string>();
let resolves = false;
let loads = false;

/** Makes `?v=DIGEST` after the URL of a file of `files` load the version with that digest. */
export function addVersion(digest: string, files: readonly string[]): void {
  versions.set(digest, new Set(files));
  if (resolves) return;
  resolves = true;
  (nodeModule as ModuleHooks).registerHooks?.({
    resolve(specifier, context, next) {
      const resolved = next(specifier, context);
      const [, digest] = VERSION.exec(context.parentURL ?? "") ?? [];
      const files = digest === undefined ? undefined : versions.get(digest);
      if (files === undefined || !resolved.url.startsWith("file:")) return resolved;
      return files.has(fileURLToPath(resolved.url))
        ? { ...resolved, url: `${resolved.url}?v=${digest}` }
        : resolved;
    },
  });
}

const VERSION = /\?v=([0-9a-f]{16})$/;

/**
 * Makes these files import packages of the host, and others from `node_modules` folders above
 * them, but none that Deno would download; `own` is the folder of this project. Deno resolves the imports
 * of a module before it calls a hook, unless a hook loads modules too.
 */
export function resolvePackagesFor(files: readonly string[], own: string): void {
  for (const file of files) outside.add(file);
  if (loads) return;
  loads = true;
  (nodeModule as ModuleHooks).registerHooks?.({
    resolve(specifier, context, next) {
      const importer = outsideFileOf(context.parentURL);
      if (importer === undefined || isRequire(context)) return next(specifier, context);
      // A name that the plugin computes: others were refused before it was loaded.
      if (!isLocked(specifier, own)) {
        throw new Error(`${importer} imports ${specifier}, which Deno would download`);
      }
      const resolved = resolveFrom(importer, specifier) ??
        resolveByDeno(importer, specifier, () => next(specifier, context));
      if (resolved.url.startsWith("file:") && !isHostPackage(specifier)) {
        outside.add(fileURLToPath(resolved.url));
      }
      return resolved;
    },
    load(url, context, next) {
      const file = outsideFileOf(url);
      const isModule = file === undefined || isRequire(context) || !isCommonJs(file);
      return isModule ? next(url, context) : moduleFor(file);
    },
  });
}

/** Whether a hook was called for `require()`, which finds packages in `node_modules` folders by itself. */
function isRequire({ conditions }: LoadContext): boolean {
  return conditions?.includes("require") ?? false;
}

/** The path of a URL without its version, if the file is one of {@link outside}. */
function outsideFileOf(url: string | undefined): string | undefined {
  if (!url?.startsWith("file:")) return undefined;
  const file = fileURLToPath(url.replace(VERSION, ""));
  return outside.has(file) ? file : undefined;
}

function resolveFrom(importer: string, specifier: string): Resolved | undefined {
  if (!isName(specifier)) return undefined;
  const file = isOwnEntryPoint(specifier) ? undefined : installedFile(specifier, dirname(importer));
  const url = file === undefined ? hostModuleUrl(specifier) : pathToFileURL(file).href;
  return url === undefined ? undefined : { url, shortCircuit: true };
}

/**
 * Resolves a specifier with Deno's import map. For an unknown name Deno returns a path; this function throws instead.
 *
 * @throws {Error} The specifier is a name that Deno does not know.
 */
function resolveByDeno(importer: string, specifier: string, resolve: () => Resolved): Resolved {
  const resolved = resolve();
  if (!isName(specifier)) return resolved;
  if (resolved.url !== new URL(specifier, pathToFileURL(importer)).href) return resolved;
  throw new Error(
    `${importer} imports ${specifier}, which is not installed for it: run ` +
      `npm install ${packageName(specifier)} in its folder`,
  );
}

/** Whether a specifier is a name, rather than a path or a URL. */
function isName(specifier: string): boolean {
  return /^[^./#]/.test(specifier) && !/^[a-z]+:/.test(specifier);
}

/** An ES module with the exports of a CommonJS one. */
function moduleFor(file: string): Loaded {
  const load = nodeModule.createRequire(pathToFileURL(file));
  const names = Object.keys(Object(load(file)))
    .filter((name) => name !== "default" && /^[A-Za-z_$][\w$]*$/.test(name));
  const exports = names.map((name, at) =>
    `const e${at} = m[${JSON.stringify(name)}];
export { e${at} as ${name} };`
  );
  const source = `import { createRequire } from "node:module";
const m = createRequire(import.meta.url)(${JSON.stringify(file)});
export default m;
${exports.join("\n")}`;
  return { format: "module", source, shortCircuit: true };
}
