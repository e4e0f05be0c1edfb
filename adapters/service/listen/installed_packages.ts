/**
 * Resolves packages in the `node_modules` folders above a file, as Node.js does for `import`. Deno does that
 * for the folder of its own configuration only.
 *
 * @module
 */
import { existsSync, statSync } from "node:fs";
import { dirname, extname, join } from "node:path";
import { textOf } from "./module_graph.ts";

/** The used part of `package.json`. */
interface Manifest {
  readonly type?: string;
  readonly main?: string;
  readonly exports?: Exports;
}

type Exports = string | null | readonly Exports[] | { readonly [key: string]: Exports };

/** The conditions of `exports` that hold; if there are several, the first one in the package's order is used. */
const CONDITIONS: ReadonlySet<string> = new Set([
  ...["deno", "node", "import", "module-sync", "default"],
]);

/** The name of the package that a specifier is in: `@scope/name` for `@scope/name/part`. */
export function packageName(specifier: string): string {
  return specifier.split("/").slice(0, specifier.startsWith("@") ? 2 : 1).join("/");
}

/** The file that a specifier leads to from `folder`; `undefined` if no such package is installed there. */
export function installedFile(specifier: string, folder: string): string | undefined {
  const name = packageName(specifier);
  for (let at = folder;; at = dirname(at)) {
    const root = join(at, "node_modules", name);
    if (existsSync(join(root, "package.json"))) return fileOf(root, specifier.slice(name.length));
    if (at === dirname(at)) return undefined;
  }
}

/** Whether a file is a CommonJS module. */
export function isCommonJs(file: string): boolean {
  if (extname(file) !== ".js") return extname(file) === ".cjs";
  for (let at = dirname(file);; at = dirname(at)) {
    const path = join(at, "package.json");
    if (existsSync(path)) return manifestOf(path).type !== "module";
    if (at === dirname(at)) return false;
  }
}

/** `part` is empty or begins with `/`. */
function fileOf(root: string, part: string): string | undefined {
  const { exports, main } = manifestOf(join(root, "package.json"));
  if (exports !== undefined) {
    const target = exportOf(exports, `.${part}`);
    return target?.startsWith("./") ? join(root, target) : undefined;
  }
  const path = join(root, part === "" ? main ?? "index.js" : part);
  return [path, `${path}.js`, `${path}.json`, join(path, "index.js")].find(isFile);
}

function exportOf(exports: Exports, part: string): string | undefined {
  const isMap = typeof exports === "object" && exports !== null && !Array.isArray(exports) &&
    Object.keys(exports).some((key) => key.startsWith("."));
  if (!isMap) return part === "." ? targetOf(exports, "") : undefined;
  const parts = exports as { readonly [key: string]: Exports };
  if (Object.hasOwn(parts, part)) return targetOf(parts[part]!, "");
  // The longest pattern is the most specific one.
  const patterns = Object.keys(parts).filter((key) => key.includes("*"))
    .sort((one, other) => other.indexOf("*") - one.indexOf("*"));
  for (const pattern of patterns) {
    const [before = "", after = ""] = pattern.split("*");
    if (
      part.startsWith(before) && part.endsWith(after) && part.length > before.length + after.length
    ) {
      return targetOf(parts[pattern]!, part.slice(before.length, part.length - after.length));
    }
  }
  return undefined;
}

/** The target under the first condition that holds, with the part that `*` stands for. */
function targetOf(exports: Exports, star: string): string | undefined {
  if (typeof exports === "string") return exports.replaceAll("*", star);
  if (exports === null) return undefined;
  const choices = Array.isArray(exports)
    ? exports as readonly Exports[]
    : Object.entries(exports).filter(([key]) => CONDITIONS.has(key)).map(([, value]) => value);
  for (const choice of choices) {
    const target = targetOf(choice, star);
    if (target !== undefined) return target;
  }
  return undefined;
}

function manifestOf(path: string): Manifest {
  try {
    return JSON.parse(textOf(path));
  } catch {
    return {};
  }
}

function isFile(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isFile() ?? false;
}
