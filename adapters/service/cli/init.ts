/**
 * The command `init`: writes a new project.
 *
 * @module
 */
import {
  existsSync,
  lstatSync,
  mkdirSync,
  readFileSync,
  realpathSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { suggestionFor } from "../../../core/api/suggestion.ts";
import deno from "../../../deno.json" with { type: "json" };
import manifest from "../../../package.json" with { type: "json" };
import { isCompiled, runtimeName } from "../../runtime/runtime.ts";
import { messageLine, UsageError } from "../errors.ts";
import {
  installCommands,
  type PackageSource,
  PROJECT_KINDS,
  projectFiles,
} from "../init/project.ts";
import { permissionsForProject, requirePermissions } from "./permissions.ts";

/** What the command does, for `--help` and completion. */
export const INIT_HELP = "write a new project, with a test: plugin, app or network";

/**
 * Writes a project for the current runtime; returns the text that tells the user what to do next.
 *
 * @throws {UsageError} An argument is invalid, or one of the files exists.
 */
export function runInit(args: readonly string[]): string {
  const [name, folder = ".", ...more] = args;
  const kinds = Object.keys(PROJECT_KINDS);
  if (name === undefined || !Object.hasOwn(PROJECT_KINDS, name)) {
    const suggestion = suggestionFor(name ?? "", kinds);
    const meant = suggestion === undefined ? "" : `; did you mean ${suggestion}?`;
    throw new UsageError(`init: expected ${kinds.join(", ")}, got ${name ?? "none"}${meant}`);
  }
  if (more.length > 0 || folder.startsWith("-")) {
    throw new UsageError(
      `init: expected one folder after ${name}, such as init ${name} my-${name}`,
    );
  }
  const root = resolve(folder);
  requirePermissions(permissionsForProject(root));
  const source = packageSource();
  const files = projectFiles(packageNameOf(root), PROJECT_KINDS[name]!, source);
  const existing = Object.keys(files).find((path) => isUsed(join(root, path)));
  if (existing !== undefined) {
    throw new UsageError(`init: ${join(root, existing)} exists: choose an empty folder`);
  }
  for (const [path, text] of Object.entries(files)) write(join(root, path), text);
  const { runtime } = source;
  const enter = realpathSync(root) === realpathSync(".") ? [] : [`cd ${quoted(folder)}`];
  const task = runtime === "deno" ? "deno task" : "bun run";
  const commands = [...enter, ...installCommands(source), `${task} test`, `${task} dev`];
  return `${Object.keys(files).length} files are in ${root}. Next:\n\n  ${commands.join("\n  ")}\n`;
}

/** Whether there is a file or a symbolic link, even a dangling one. */
function isUsed(path: string): boolean {
  try {
    return lstatSync(path, { throwIfNoEntry: false }) !== undefined;
  } catch {
    // Writing the file will report the reason.
    return false;
  }
}

/** @throws {UsageError} The file cannot be written. */
function write(path: string, text: string): void {
  try {
    mkdirSync(dirname(path), { recursive: true });
    writeFileSync(path, text, { flag: "wx" });
  } catch (error) {
    throw new UsageError(`init: cannot write ${path}: ${messageLine(error)}`);
  }
}

/** The project gets the packages from the source of this program: JSR, npm or a checkout. */
function packageSource(): PackageSource {
  const { name, version } = deno;
  const versions = manifest.dependencies;
  if (runtimeName() === "bun") {
    return { runtime: "bun", berth: tarball() ?? `^${version}`, imports: {}, versions };
  }
  const common = { runtime: "deno", versions } as const;
  if (!import.meta.url.startsWith("file:")) {
    const berth = `jsr:${name}@^${version}`;
    return { ...common, berth: `${berth}/cli`, imports: { [name]: berth } };
  }
  if (import.meta.url.endsWith(".js")) {
    const file = tarball();
    if (file !== undefined) return { ...common, berth: `npm:${name}`, imports: {}, tarball: file };
    const berth = `npm:${name}@^${version}`;
    return { ...common, berth, imports: { [name]: berth } };
  }
  const entryPoints = Object.entries(deno.exports)
    .map(([entry, path]) => [name + entry.slice(1), pathHere(path)]);
  const packages = Object.entries(versions).map(([each, its]) => [each, `npm:${each}@${its}`]);
  const imports = Object.fromEntries([...entryPoints, ...packages]);
  return { ...common, berth: pathHere("main.ts"), imports };
}

/** The path of a file of this checkout. */
function pathHere(path: string): string {
  return fileURLToPath(new URL(`../../../${path}`, import.meta.url));
}

/** The tarball that `deno task pack` made in this checkout, or that this package was installed from. */
function tarball(): string | undefined {
  if (isCompiled) return undefined;
  const { name, version } = deno;
  const path = import.meta.url.endsWith(".js")
    ? installedFrom(pathHere(""), name)
    : pathHere(`dist/${name.slice(1).replace("/", "-")}-${version}.tgz`);
  return path !== undefined && existsSync(path) ? `file:${path}` : undefined;
}

/**
 * The tarball that a package in `node_modules` was installed from, according to the project's `package.json`;
 * `undefined` if that has a version instead.
 */
export function installedFrom(packageRoot: string, name: string): string | undefined {
  const project = resolve(packageRoot, ...name.split("/").map(() => ".."), "..");
  try {
    const { dependencies, devDependencies } = JSON.parse(
      readFileSync(join(project, "package.json"), "utf8"),
    );
    const source = { ...devDependencies, ...dependencies }[name];
    if (!/^(file:|\.{0,2}\/).*\.tgz$/.test(source)) return undefined;
    return resolve(project, source.replace(/^file:/, ""));
  } catch {
    // The package is shared between projects.
    return undefined;
  }
}

/** Quoted for a shell, if necessary. */
function quoted(text: string): string {
  return /^[\w./-]+$/.test(text) ? text : `'${text.replaceAll("'", "'\\''")}'`;
}

/** A name that npm accepts. */
function packageNameOf(root: string): string {
  const name = basename(root).toLowerCase().replace(/[^a-z0-9._-]+/g, "-").replace(/^[._-]+/, "");
  return name === "" ? "my-project" : name.slice(0, 200);
}
