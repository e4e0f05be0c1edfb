/**
 * The packages that every plugin gets from the program that loads it, wherever its file is:
 * `@berth/berth`, which has to be the same instance, and the packages that plugins commonly use.
 *
 * @module
 */
// Load them with the program, because Deno may be offline when a plugin imports one of them.
import "../../../exports/host.ts";
import "../../../exports/links.ts";
import "../../../exports/middleware.ts";
import "../../../exports/plugins.ts";
import "../../../exports/telemetry.ts";
import "../../../exports/testing.ts";
import "../../../mod.ts";
import deno from "../../../deno.json" with { type: "json" };
import manifest from "../../../package.json" with { type: "json" };

/** The entry points that a plugin can import, by name: paths of TypeScript files from the root. */
const ENTRY_POINTS: Readonly<Record<string, string>> = Object.fromEntries(
  Object.entries(deno.exports)
    .filter(([entry]) => entry !== "./cli")
    .map(([entry, path]) => [`@berth/berth${entry.slice(1)}`, path]),
);

/** The names of the entry points that a plugin can import. */
export const OWN_ENTRY_POINTS: readonly string[] = Object.keys(ENTRY_POINTS);

/** Packages that plugins are written with; one in a plugin's own folder has precedence. */
const SHARED = ["hono", "zod"] as const;

/** Whether a specifier names an entry point of `@berth/berth`. */
export function isOwnEntryPoint(specifier: string): boolean {
  return Object.hasOwn(ENTRY_POINTS, specifier);
}

/** Whether a plugin can import a specifier from the host. */
export function isHostPackage(specifier: string): boolean {
  // A compiled program has these modules, but no other modules of the same packages.
  if (offeredModules.size > 0) return offeredModules.has(OFFERED + specifier);
  return isOwnEntryPoint(specifier) ||
    SHARED.some((name) => specifier === name || specifier.startsWith(`${name}/`));
}

/** The URL of a module of the host; `undefined` if there is none of that name. */
export function hostModuleUrl(specifier: string): string | undefined {
  const offered = `${OFFERED}${specifier}`;
  if (offeredModules.has(offered)) return offered;
  if (isOwnEntryPoint(specifier)) {
    const path = ENTRY_POINTS[specifier]!;
    const compiled = import.meta.url.endsWith(".js") ? path.replace(/\.ts$/, ".js") : path;
    return new URL(`../../../${compiled}`, import.meta.url).href;
  }
  const name = SHARED.find((one) => specifier === one || specifier.startsWith(`${one}/`));
  if (name === undefined) return undefined;
  try {
    return meta.resolve(specifier);
  } catch {
    // Only a checkout has an import map with the package's name. A published module imports it by a specifier with
    // its version.
    if (import.meta.url.startsWith("file:")) return undefined;
    return `npm:${name}@${manifest.dependencies[name]}${specifier.slice(name.length)}`;
  }
}

// `deno publish` requires a literal argument for a literal `import.meta.resolve(...)`.
const meta = import.meta;

const OFFERED = "berth-host:";
const offeredModules = new Set<string>();

declare const Bun: {
  plugin(plugin: {
    readonly name: string;
    setup(build: {
      module(name: string, load: () => { exports: object; loader: "object" }): void;
    }): void;
  }): void;
};

/** Offers modules to plugins. A program that Bun compiled has no files for its modules, so plugins get the objects. */
export function offerModules(modules: Readonly<Record<string, object>>): void {
  Bun.plugin({
    name: "berth-host",
    setup(build) {
      for (const [name, exports] of Object.entries(modules)) {
        offeredModules.add(OFFERED + name);
        build.module(OFFERED + name, () => ({ exports, loader: "object" }));
      }
    },
  });
}
