/**
 * Loads plugins by name or from a module.
 *
 * @module
 */
import { existsSync, statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath } from "node:url";
import { systemClock } from "../../../core/api/environment.ts";
import { parseListenAddress } from "../../../core/api/listen_address.ts";
import type { PluginFactory } from "../../../core/api/plugin.ts";
import { suggestionFor } from "../../../core/api/suggestion.ts";
import type { Handler, Plugin } from "../../../core/api/types.ts";
import { chargen } from "../../../plugins/chargen.ts";
import { daytime } from "../../../plugins/daytime.ts";
import { discard } from "../../../plugins/discard.ts";
import { echo } from "../../../plugins/echo.ts";
import { type FetchApp, http } from "../../../plugins/http.ts";
import { iperf3 } from "../../../plugins/iperf3.ts";
import { connectProxy } from "../../plugins/connect_proxy.ts";
import { dns } from "../../plugins/dns.ts";
import { egress } from "../../plugins/egress.ts";
import { forward } from "../../plugins/forward.ts";
import { http2 } from "../../../plugins/http2.ts";
import { socks5 } from "../../plugins/socks5.ts";
import { staticFiles, type StaticFilesOptions } from "../../plugins/static_files.ts";
import { requestSpans } from "../../telemetry/request_spans.ts";
import { registeredTracer } from "../../telemetry/tracer.ts";
import { isCompiled, runtimeName } from "../../runtime/runtime.ts";
import { demo } from "../demo/demo.ts";
import { messageLine, UsageError } from "../errors.ts";
import { readyz } from "../readiness/readyz.ts";
import type { ListenSetting, PluginSetting } from "../settings/listen_setting.ts";
import { targetFrom } from "../settings/publish_setting.ts";
import { OWN_ENTRY_POINTS } from "./host_packages.ts";
import { codeDigest, importModule, pluginFiles } from "./import_module.ts";
import { makeDetect } from "./make_detect.ts";
import {
  type Factory,
  type Loader,
  type Make,
  make,
  type PluginModule,
  withArgument,
  withoutArgument,
} from "./make_plugin.ts";
import { makeTls } from "./make_tls.ts";
import { MIDDLEWARE } from "./middleware.ts";
import { type MissingPackage, missingPackage, unknownEntryPoint } from "./plugin_packages.ts";

/** The folder of this project. */
const ROOT = import.meta.url.startsWith("file:") && !isCompiled
  ? fileURLToPath(new URL("../../..", import.meta.url))
  : "a checkout of berth";

/** A plugin, and its name in log lines. */
export interface LoadedPlugin {
  /** The name of the plugin, or the path of its module. */
  readonly name: string;
  /** The plugin for {@link Stack.use}. */
  readonly handler: Plugin;
  /** Its setting as text: plugins with equal settings have equal keys. */
  readonly key: string;
  /** The modules that it was made from, and the digests of their code. */
  readonly modules: ReadonlyMap<string, string>;
}

/** A plugin with the middleware in front of it. */
export interface LoadedChain {
  /** The names of the chain, joined by `+`. */
  readonly name: string;
  /** The plugins for {@link Stack.use}. */
  readonly handlers: readonly Plugin[];
  /** The plugins, with their settings and modules. */
  readonly plugins: readonly LoadedPlugin[];
}

/** Time limit for loading a module, in milliseconds. */
export const LOADING_MS = 30_000;

const BUILT_IN: Readonly<Record<string, Make>> = {
  echo: withoutArgument("echo", echo),
  discard: withoutArgument("discard", discard),
  chargen: withoutArgument("chargen", chargen),
  daytime: withoutArgument("daytime", daytime),
  demo: withoutArgument("demo", demo),
  dns: withArgument(dns, (upstreams) => ({ upstreams: upstreams.split(",") })),
  iperf3: withoutArgument("iperf3", iperf3),
  readyz: withoutArgument("readyz", readyz),
  socks5: withoutArgument("socks5", socks5),
  egress: withoutArgument("egress", egress),
  connectProxy: withoutArgument("connectProxy", connectProxy),
  forward: (argument, options, { folder, source }) => {
    const { to = argument?.split(","), ...others } = options;
    return make(
      forward,
      { ...to !== undefined && { to: targetsFrom(folder, to) }, ...others },
      source,
    );
  },
  http: withApp("http", http),
  tls: makeTls,
  detect: makeDetect,
  http2: withApp("http2", http2),
  files: (path, options, { folder, source }) => {
    if (!path) throw new UsageError(`${source}: files needs a folder, such as files:./public`);
    const root = resolve(folder, path);
    if (!isFolder(root)) throw new UsageError(`${source}: files: there is no folder ${root}`);
    const serve = (checked: StaticFilesOptions) => http(traced(staticFiles(root, checked)));
    return { ...make(serve, options, source), name: "files" };
  },
  ...MIDDLEWARE,
};

/**
 * Makes the plugins of a listen address. A plugin of `previous` is kept if neither its setting nor its
 * code has changed.
 *
 * @throws {UsageError} One of them cannot be made; see {@link loadPlugin}.
 */
export async function loadChain(
  setting: ListenSetting,
  previous: readonly LoadedPlugin[] = [],
): Promise<LoadedChain> {
  checkOrder(setting);
  const plugins: LoadedPlugin[] = [];
  for (const each of [...setting.before ?? [], setting]) {
    const key = keyOf(each);
    const kept = previous.find((one) =>
      one.key === key && !plugins.includes(one) && isCurrent(one)
    );
    try {
      plugins.push(kept ?? await loadPlugin(each));
    } catch (error) {
      await disposePlugins(plugins, previous);
      throw error;
    }
  }
  return {
    name: plugins.map(({ name }) => name).join("+"),
    handlers: plugins.map(({ handler }) => handler),
    plugins,
  };
}

/** Disposes plugins that were made but are not used, except for those of `kept`. */
export async function disposePlugins(
  plugins: readonly LoadedPlugin[],
  kept: readonly LoadedPlugin[] = [],
): Promise<void> {
  for (const plugin of plugins) {
    if (kept.includes(plugin)) continue;
    try {
      await plugin.handler.dispose?.();
    } catch {
      // The plugin never served, and the reason why it is not used has been reported.
    }
  }
}

function keyOf({ plugin, options = {}, folder }: PluginSetting): string {
  return JSON.stringify([plugin, options, resolve(folder)]);
}

/** Whether the files of a plugin's code are unchanged. */
function isCurrent({ modules }: LoadedPlugin): boolean {
  return [...modules].every(([file, digest]) => codeDigest(file, resolve(ROOT)) === digest);
}

/** Built-in plugins that pass connections on to the next plugin. */
const PASS_THROUGH: ReadonlySet<string> = new Set([
  ...Object.keys(MIDDLEWARE),
  "tls",
  "http2",
  "detect",
]);
/** Plugins of {@link PASS_THROUGH} that also work as the last plugin of a chain. */
const OPTIONALLY_LAST: ReadonlySet<string> = new Set(["http2", "detect"]);

/**
 * @throws {UsageError} The last plugin passes connections on although no plugin follows, or an earlier
 * plugin passes none on.
 */
function checkOrder({ where, before = [], plugin, source }: ListenSetting): void {
  const last = builtInNameOf(plugin);
  if (last !== undefined && PASS_THROUGH.has(last) && !OPTIONALLY_LAST.has(last)) {
    throw new UsageError(
      `${source}: ${last} passes connections on, and no plugin follows it: add one, such as ` +
        `${plugin}+echo`,
    );
  }
  // Some plugins leave datagrams to the next one.
  if (parseListenAddress(where).transport === "udp") return;
  for (const each of before) {
    const name = builtInNameOf(each.plugin);
    if (name === undefined || PASS_THROUGH.has(name)) continue;
    throw new UsageError(
      `${source}: ${name} serves every connection itself, so plugins after it are never reached: ` +
        "put it last",
    );
  }
}

function builtInNameOf(plugin: string): string | undefined {
  const [name = ""] = plugin.split(":");
  return !isPath(plugin) && Object.hasOwn(BUILT_IN, name) ? name : undefined;
}

/**
 * Makes a plugin: a built-in one, or the default export of a module.
 *
 * @throws {UsageError} There is no such plugin, an option is invalid, or the module cannot be loaded.
 */
export async function loadPlugin(setting: PluginSetting): Promise<LoadedPlugin> {
  const loader = new ModuleLoader();
  try {
    const { name, handler } = await loader.loadPlugin(setting);
    return { name, handler, key: keyOf(setting), modules: loader.modules };
  } catch (error) {
    if (error instanceof UsageError) throw error;
    // A getter or a proxy throws when it is examined, and can throw anything.
    const what = error instanceof Error ? messageLine(error) : `it throws ${messageLine(error)}`;
    throw new UsageError(`${setting.source}: cannot use ${setting.plugin}: ${what}`, {
      cause: error,
    });
  }
}

interface NamedPlugin {
  readonly name: string;
  readonly handler: Plugin;
}

/** Remembers which modules a plugin is made from. */
class ModuleLoader implements Loader {
  readonly modules = new Map<string, string>();

  async loadPlugin(setting: PluginSetting): Promise<NamedPlugin> {
    const { plugin, options = {}, source } = setting;
    if (isPath(plugin)) {
      return pluginOf((await this.importModule(plugin, setting)).default, setting);
    }
    const [name = "", ...rest] = plugin.split(":");
    const argument = rest.length > 0 ? rest.join(":") : undefined;
    const builtIn = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
    if (!builtIn) throw new UsageError(`${source}: ${noPlugin(name)}`);
    return { name, handler: await builtIn(argument, options, setting, this) };
  }

  async importModule(path: string, { folder, source }: PluginSetting): Promise<PluginModule> {
    const file = resolve(folder, path);
    if (!existsSync(file)) throw new UsageError(`${source}: there is no file ${file}`);
    const own = resolve(ROOT);
    const unknown = unknownEntryPoint(file);
    if (unknown !== undefined) throw new UsageError(`${source}: ${whichExist(unknown)}`);
    const missing = missingPackage(file, own);
    if (missing !== undefined) throw new UsageError(`${source}: ${howToInstall(missing)}`);
    this.modules.set(file, codeDigest(file, own));
    try {
      return await inTime(importModule(file, own));
    } catch (error) {
      throw new UsageError(`${source}: cannot load ${path}: ${loadFaultOf(error)}`, {
        cause: error,
      });
    }
  }
}

/** Rejects if a module does not finish loading, such as one with an endless top-level await. */
function inTime<T>(loading: Promise<T>): Promise<T> {
  return new Promise((resolve, reject) => {
    const cancel = systemClock.schedule(
      systemClock.now() + LOADING_MS,
      () => reject(new Error(`it has not finished loading after ${LOADING_MS / 1000} seconds`)),
    );
    loading.finally(cancel).then(resolve, reject);
  });
}

/** The files of the modules that a setting names, and of their imports by path. */
export function modulesOf({ plugin, options = {}, folder }: PluginSetting): string[] {
  return modulePaths([plugin, options]).flatMap((path) =>
    pluginFiles(resolve(folder, path), resolve(ROOT))
  );
}

/** Paths of modules among the strings of a value: `./plugin.ts`, `http:./app.ts`. */
function modulePaths(value: unknown): string[] {
  if (typeof value === "string") {
    const path = value.replace(/^http2?:/, "");
    return isPath(path) && /\.[cm]?[jt]sx?$/.test(path) ? [path] : [];
  }
  if (typeof value !== "object" || value === null) return [];
  return Object.values(value).flatMap(modulePaths);
}

/** Targets with paths of Unix sockets that were written relative to `folder`. */
function targetsFrom(folder: string, to: unknown): unknown {
  if (Array.isArray(to)) return to.map((target) => targetsFrom(folder, target));
  return typeof to === "string" ? targetFrom(folder, to) : to;
}

function isFolder(path: string): boolean {
  return statSync(path, { throwIfNoEntry: false })?.isDirectory() ?? false;
}

function isPath(plugin: string): boolean {
  return plugin.startsWith("./") || plugin.startsWith("../") || isAbsolute(plugin);
}

function noPlugin(name: string): string {
  const names = Object.keys(BUILT_IN);
  const suggestion = suggestionFor(name, names);
  if (suggestion !== undefined) {
    return `there is no plugin ${name}; did you mean ${suggestion}? A module is named by its path: ./${name}`;
  }
  return `there is no plugin ${name}: use one of ${
    names.join(", ")
  }, or the path of a module such ` +
    `as ./${name}`;
}

/**
 * Adds spans to an app if a tracer provider is registered when the app is loaded; otherwise its requests have no
 * extra cost.
 */
function traced(app: FetchApp): FetchApp {
  return registeredTracer() === undefined ? app : requestSpans(app);
}

/** A plugin that serves the app of a module; the argument is the module's path. */
function withApp<O>(name: string, serve: (app: FetchApp, options: O) => Plugin): Make {
  return async (path, options, setting, loader) => {
    const { source } = setting;
    if (!path) throw new UsageError(`${source}: ${name} needs an app, such as ${name}:./app.ts`);
    const { default: app } = await loader.importModule(path, setting);
    if (app === undefined) {
      throw new UsageError(`${source}: ${path} has no default export: write export default app`);
    }
    if (hasFetch(app)) return make((its: O) => serve(traced(app), its), options, source);
    throw new UsageError(`${source}: the default export of ${path} has no fetch(); a Hono app has`);
  };
}

/** The plugin that a module exports. */
function pluginOf(exported: unknown, setting: PluginSetting): NamedPlugin {
  const { plugin: path, options, source } = setting;
  const fault = (what: string) =>
    new UsageError(`${source}: the default export of ${path} ${what}`);

  if (isFactory(exported)) {
    return { name: exported.pluginName, handler: make(exported as Factory, options ?? {}, source) };
  }
  if (exported === undefined) {
    throw new UsageError(
      `${source}: ${path} has no default export: write export default before its plugin`,
    );
  }
  if (options) throw fault("takes no options: create it with definePlugin()");
  if (typeof exported === "function") {
    return { name: path, handler: { name: path, handle: exported as Handler } };
  }
  if (isPlugin(exported)) return { name: exported.name, handler: exported };
  if (hasFetch(exported)) throw fault(`is an app: write http:${path}`);
  if (exported instanceof Promise) throw fault("is a promise: write export default await ...");
  throw fault("is not a plugin: export a handler, a plugin or what definePlugin() returns");
}

/** Neither runtime may install a package by itself, because anyone can own an unclaimed name. */
function howToInstall({ name, importer }: MissingPackage): string {
  if (runtimeName() === "deno" && /^(npm|jsr):/.test(name)) {
    return `${importer} imports ${name}, which Deno would download: run deno add ${name} in ${ROOT} ` +
      `and import it by its name in deno.json`;
  }
  return `${importer} imports ${name}, which is not installed for it: run ` +
    `bun add ${name} in its folder`;
}

function whichExist({ name, importer }: MissingPackage): string {
  const suggestion = suggestionFor(name, OWN_ENTRY_POINTS);
  return `${importer} imports ${name}, which does not exist; ` +
    (suggestion === undefined
      ? `there are ${OWN_ENTRY_POINTS.join(", ")}`
      : `did you mean ${suggestion}?`);
}

/** Bun reports syntax errors in an `AggregateError`, with their positions as properties. */
function loadFaultOf(error: unknown): string {
  const faults: readonly unknown[] = error instanceof AggregateError ? error.errors : [];
  const [first = error] = faults;
  const { position } = Object(first) as {
    position?: { readonly file: string; readonly line: number; readonly column: number } | null;
  };
  const place = position ? ` at ${position.file}:${position.line}:${position.column}` : "";
  const others = faults.length > 1 ? ` (the first of ${faults.length} errors)` : "";
  return `${messageLine(first)}${place}${others}`;
}

function isFactory(value: unknown): value is PluginFactory<never> {
  return typeof value === "function" && "pluginName" in value;
}

function isPlugin(value: unknown): value is Plugin {
  return typeof value === "object" && value !== null && "name" in value &&
    typeof value.name === "string" && ("handle" in value || "onSyn" in value || "flow" in value);
}

function hasFetch(value: unknown): value is FetchApp {
  return typeof value === "object" && value !== null && "fetch" in value &&
    typeof value.fetch === "function";
}
