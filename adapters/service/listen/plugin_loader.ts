/**
 * Loads plugins by name or from a module.
 *
 * @module
 */
import { existsSync, statSync } from "node:fs";
import { isAbsolute, resolve } from "node:path";
import { fileURLToPath, pathToFileURL } from "node:url";
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
import { runtimeName } from "../../runtime/runtime.ts";
import { demo } from "../cli/demo.ts";
import { messageOf, UsageError } from "../errors.ts";
import type { ListenSetting, PluginSetting } from "../settings/listen_setting.ts";
import { targetFrom } from "../settings/publish_setting.ts";
import { makeDetect } from "./make_detect.ts";
import { type Factory, type Make, make, withArgument, withoutArgument } from "./make_plugin.ts";
import { makeTls } from "./make_tls.ts";
import { MIDDLEWARE } from "./middleware.ts";
import { type MissingPackage, missingPackage } from "./plugin_packages.ts";

/** The folder of this project, for messages: its name is not registered with npm. */
const ROOT = URL.canParse("../../..", import.meta.url) && import.meta.url.startsWith("file:")
  ? fileURLToPath(new URL("../../..", import.meta.url))
  : "a checkout of berth";

/** A plugin, and its name in log lines. */
export interface LoadedPlugin {
  /** The name of the plugin, or the path of its module. */
  readonly name: string;
  /** The plugin for {@link Stack.use}. */
  readonly handler: Plugin;
}

/** A plugin with the middleware in front of it. */
export interface LoadedChain {
  /** The names of the chain, joined by `+`. */
  readonly name: string;
  /** The plugins for {@link Stack.use}. */
  readonly handlers: readonly Plugin[];
}

const BUILT_IN: Readonly<Record<string, Make>> = {
  echo: withoutArgument("echo", echo),
  discard: withoutArgument("discard", discard),
  chargen: withoutArgument("chargen", chargen),
  daytime: withoutArgument("daytime", daytime),
  demo: withoutArgument("demo", demo),
  dns: withArgument(dns, (upstreams) => ({ upstreams: upstreams.split(",") })),
  iperf3: withoutArgument("iperf3", iperf3),
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
  detect: makeDetect(async (setting) => (await loadPlugin(setting)).handler),
  http2: withApp("http2", http2),
  files: (path, options, { folder, source }) => {
    if (!path) throw new UsageError(`${source}: files needs a folder, such as files:./public`);
    const root = resolve(folder, path);
    if (!isFolder(root)) throw new UsageError(`${source}: files: there is no folder ${root}`);
    const serve = (checked: StaticFilesOptions) => http(staticFiles(root, checked));
    return { ...make(serve, options, source), name: "files" };
  },
  ...MIDDLEWARE,
};

/**
 * Makes the plugins of a listen address.
 *
 * @throws {UsageError} One of them cannot be made; see {@link loadPlugin}.
 */
export async function loadChain(setting: ListenSetting): Promise<LoadedChain> {
  checkOrder(setting);
  const chain: LoadedPlugin[] = [];
  for (const each of [...setting.before ?? [], setting]) chain.push(await loadPlugin(each));
  return {
    name: chain.map(({ name }) => name).join("+"),
    handlers: chain.map(({ handler }) => handler),
  };
}

/** Built-in plugins that pass connections on to the next plugin. */
const PASSES_ON: ReadonlySet<string> = new Set([
  ...Object.keys(MIDDLEWARE),
  "tls",
  "http2",
  "detect",
]);
/** Those that also work as the last plugin of a chain. */
const MAY_BE_LAST: ReadonlySet<string> = new Set(["http2", "detect"]);

/**
 * @throws {UsageError} The last plugin passes connections on although no plugin follows, or an earlier
 * plugin passes none on.
 */
function checkOrder({ where, before = [], plugin, source }: ListenSetting): void {
  const last = builtInNameOf(plugin);
  if (last !== undefined && PASSES_ON.has(last) && !MAY_BE_LAST.has(last)) {
    throw new UsageError(
      `${source}: ${last} passes connections on, and no plugin follows it: add one, such as ` +
        `${plugin}+echo`,
    );
  }
  // Some plugins leave datagrams to the next one.
  if (parseListenAddress(where).transport === "udp") return;
  for (const each of before) {
    const name = builtInNameOf(each.plugin);
    if (name === undefined || PASSES_ON.has(name)) continue;
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
  const { plugin, options = {}, source } = setting;
  if (isPath(plugin)) return await loadModulePlugin(setting);
  const [name = "", ...rest] = plugin.split(":");
  const argument = rest.length > 0 ? rest.join(":") : undefined;
  const builtIn = Object.hasOwn(BUILT_IN, name) ? BUILT_IN[name] : undefined;
  if (!builtIn) throw new UsageError(`${source}: ${noPlugin(name)}`);
  return { name, handler: await builtIn(argument, options, setting) };
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
  const meant = suggestionFor(name, names);
  if (meant !== undefined) {
    return `there is no plugin ${name}; did you mean ${meant}? A module is named by its path: ./${name}`;
  }
  return `there is no plugin ${name}: use one of ${
    names.join(", ")
  }, or the path of a module such ` +
    `as ./${name}`;
}

/** A plugin that serves the app of a module; the argument is the module's path. */
function withApp<O>(name: string, serve: (app: FetchApp, options: O) => Plugin): Make {
  return async (path, options, setting) => {
    const { source } = setting;
    if (!path) throw new UsageError(`${source}: ${name} needs an app, such as ${name}:./app.ts`);
    const app = await importDefault(path, setting);
    if (hasFetch(app)) return make((its: O) => serve(app, its), options, source);
    throw new UsageError(`${source}: the default export of ${path} has no fetch(); a Hono app has`);
  };
}

async function loadModulePlugin(setting: PluginSetting): Promise<LoadedPlugin> {
  const { plugin: path, options, source } = setting;
  const exported = await importDefault(path, setting);
  const fault = (what: string) =>
    new UsageError(`${source}: the default export of ${path} ${what}`);

  if (isFactory(exported)) {
    return { name: exported.pluginName, handler: make(exported as Factory, options ?? {}, source) };
  }
  if (options) throw fault("takes no options: create it with definePlugin()");
  if (typeof exported === "function") {
    return { name: path, handler: { name: path, handle: exported as Handler } };
  }
  if (isPlugin(exported)) return { name: exported.name, handler: exported };
  if (hasFetch(exported)) throw fault(`is an app: write http:${path}`);
  throw fault("is not a plugin: export a handler, a plugin or what definePlugin() returns");
}

async function importDefault(path: string, { folder, source }: PluginSetting): Promise<unknown> {
  const file = resolve(folder, path);
  if (!existsSync(file)) throw new UsageError(`${source}: there is no file ${file}`);
  const missing = missingPackage(file, resolve(ROOT));
  if (missing !== undefined) {
    throw new UsageError(`${source}: ${howToInstall(missing)}`);
  }
  try {
    const loaded: { default?: unknown } = await import(pathToFileURL(file).href);
    return loaded.default;
  } catch (error) {
    throw new UsageError(`${source}: cannot load ${path}: ${loadFaultOf(error)}`, { cause: error });
  }
}

/** Neither runtime may install a package by itself, because anyone can own an unclaimed name. */
function howToInstall({ name, importer }: MissingPackage): string {
  if (runtimeName() === "deno" && /^(npm|jsr):/.test(name)) {
    return `${importer} imports ${name}, which Deno would download: run deno add ${name} in ${ROOT} ` +
      `and import it by its name in deno.json`;
  }
  return `${importer} imports ${name}, which is not installed for it: run ` +
    `bun add ${name === "@berth/berth" ? ROOT : name} in its folder`;
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
  return `${messageOf(first)}${place}${others}`;
}

function isFactory(value: unknown): value is PluginFactory<never> {
  return typeof value === "function" && "pluginName" in value;
}

function isPlugin(value: unknown): value is Plugin {
  return typeof value === "object" && value !== null && "name" in value &&
    ("handle" in value || "onSyn" in value || "flow" in value);
}

function hasFetch(value: unknown): value is FetchApp {
  return typeof value === "object" && value !== null && "fetch" in value &&
    typeof value.fetch === "function";
}
