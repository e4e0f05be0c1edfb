/**
 * Plugins out of what the command line or the configuration file says.
 *
 * @module
 */
import type { Plugin } from "../../../core/api/types.ts";
import { messageOf, UsageError } from "../errors.ts";
import type { PluginSetting } from "../settings/listen_setting.ts";

/** A plugin's options as a file has them: unknown until the factory has checked them. */
export type Options = Readonly<Record<string, unknown>>;

/** Anything that checks options and makes a plugin of them. */
export type Factory = (options: never) => Plugin;

/** Makes a built-in plugin; `argument` is what stands behind its name and a colon. */
export type Make = (
  argument: string | undefined,
  options: Options,
  setting: PluginSetting,
) => Plugin | Promise<Plugin>;

/**
 * Calls a factory.
 *
 * @throws {UsageError} The options are wrong; the message says where they were given.
 */
export function make(factory: Factory, options: Options, source: string): Plugin {
  try {
    return factory(options as never);
  } catch (error) {
    throw new UsageError(`${source}: ${messageOf(error)}`);
  }
}

/** A plugin that has options only. */
export function withoutArgument(name: string, factory: Factory): Make {
  return (argument, options, { source }) => {
    if (argument === undefined) return make(factory, options, source);
    throw new UsageError(`${source}: ${name} takes no argument, got ${argument}`);
  };
}

/** A plugin whose argument says what else options would; these come before it. */
export function withArgument(factory: Factory, optionsOf: (argument: string) => Options): Make {
  return (argument, options, { source }) =>
    make(factory, argument ? { ...optionsOf(argument), ...options } : options, source);
}
