/**
 * Makes plugins from their names, arguments and options.
 *
 * @module
 */
import type { Plugin } from "../../../core/api/types.ts";
import { messageLine, UsageError } from "../errors.ts";
import type { PluginSetting } from "../settings/listen_setting.ts";

/** The options as written in the file; the factory checks them. */
export type Options = Readonly<Record<string, unknown>>;

/** Checks options and makes a plugin. */
export type Factory = (options: never) => Plugin;

/** Loads the plugins and modules that a plugin contains. */
export interface Loader {
  /** Makes another plugin. */
  loadPlugin(setting: PluginSetting): Promise<{ readonly handler: Plugin }>;
  /** Imports a module whose path is relative to the folder of the setting. */
  importModule(path: string, setting: PluginSetting): Promise<PluginModule>;
}

/**
 * A loaded module. Its default export can be anything, even a promise that never settles, so do not await it without
 * a time limit.
 */
export interface PluginModule {
  readonly default?: unknown;
}

/** Makes a built-in plugin; `argument` is the text after the colon in `NAME:ARGUMENT`. */
export type Make = (
  argument: string | undefined,
  options: Options,
  setting: PluginSetting,
  loader: Loader,
) => Plugin | Promise<Plugin>;

/**
 * Calls a factory.
 *
 * @throws {UsageError} An option is invalid; the message says where it was written.
 */
export function make(factory: Factory, options: Options, source: string): Plugin {
  try {
    return factory(options as never);
  } catch (error) {
    throw new UsageError(`${source}: ${messageLine(error)}`);
  }
}

/** A plugin that takes no argument. */
export function withoutArgument(name: string, factory: Factory): Make {
  return (argument, options, { source }) => {
    if (argument === undefined) return make(factory, options, source);
    throw new UsageError(`${source}: ${name} takes no argument, got ${argument}`);
  };
}

/** A plugin whose argument is shorthand for options; explicit options override it. */
export function withArgument(factory: Factory, optionsOf: (argument: string) => Options): Make {
  return (argument, options, { source }) =>
    make(factory, argument ? { ...optionsOf(argument), ...options } : options, source);
}
