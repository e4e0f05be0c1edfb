/**
 * The form of an entry in the table of settings.
 *
 * @module
 */
import { resolve } from "node:path";
import process from "node:process";
import type { z } from "zod";

/** Where a value was written: on the command line or in a configuration file. */
export interface Origin {
  /** The folder that relative paths start from. */
  readonly folder: string;
  /** The name in messages of the value with these keys below the setting, such as `--listen 80`. */
  source(...keys: readonly string[]): string;
}

/** Common to all entries; `Written` is the value before {@link SettingDefinition.locate}. */
export interface SettingDefinition<Value, Written = Value> {
  /**
   * Its flag with a name for the value, as `--help` shows them: `--mtu N`. Without it, only the configuration file
   * can have the setting.
   */
  readonly flag?: string;
  /** Checks one value. */
  readonly schema: z.ZodType<Written>;
  /** Checks the text of the flag, if its syntax differs from that of the file. */
  readonly text?: z.ZodType<Written, string>;
  /** Makes paths in a checked value relative to its origin, and records the origin for messages. */
  locate?(value: Written, origin: Origin): Value;
  /** The text in `--help`; a line that begins with a space is not wrapped. */
  readonly help: string;
  /** The text in the documentation and the JSON Schema, as Markdown. */
  readonly details: string;
  /** The default in words, if it is not a constant. */
  readonly defaultText?: string;
}

/** A setting with one value. */
export interface SingleSetting<Value> extends SettingDefinition<Value> {
  readonly repeatable?: false;
  /** The default; absent if there is none, or if it depends on other settings. */
  readonly default?: Value;
}

/** A setting with any number of values: a list in the file, a flag that can be repeated. */
export interface RepeatableSetting<Value, Written = Value>
  extends SettingDefinition<Value, Written> {
  readonly repeatable: true;
  /** Checks all values of the file, if they are not written as a list. */
  readonly file?: z.ZodType<readonly Written[]>;
}

/** The definition of a setting by the type of its value in {@link PartialSettings}. */
export type Setting<Value, Written = never> = [Value] extends [readonly (infer One)[]]
  ? RepeatableSetting<One, [Written] extends [never] ? One : Written>
  : SingleSetting<Value>;

/** Metadata of a schema that zod cannot convert to JSON Schema by itself. */
export interface JsonSchemaNotes {
  readonly [other: string]: unknown;
  /** The schema of the accepted values, where a function checks them. */
  readonly shape?: z.ZodType;
  /** Whether a string is accepted as well. */
  readonly acceptsString?: true;
  /** Whether a list is accepted as well. */
  readonly acceptsList?: true;
}

/**
 * Converts a string of digits to a number, for values of flags and environment variables; other strings stay as they
 * are.
 */
export function numberFrom(text: string): number | string {
  return /^\d+$/.test(text) ? Number(text) : text;
}

/**
 * Resolves a path that was written relative to `folder`. If `folder` is the working directory, the path stays
 * relative, because the path of a Unix socket can have at most 107 bytes.
 */
export function pathFrom(folder: string, path: string): string {
  return resolve(folder) === process.cwd() ? path : resolve(folder, path);
}
