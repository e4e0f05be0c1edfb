/**
 * The configuration file.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { describeIssues } from "../../../core/api/options.ts";
import { messageOf, UsageError } from "../errors.ts";
import type { Setting, SettingDefinition } from "./setting.ts";
import { type PartialSettings, type SettingKey, SETTINGS } from "./settings.ts";

const KEYS = Object.keys(SETTINGS) as SettingKey[];

/** The whole file. `$schema` names the JSON Schema for editors, and means nothing to the service. */
export const configSchema: z.ZodObject = z.strictObject({
  $schema: z.string().optional(),
  ...Object.fromEntries(KEYS.map((key) => [key, schemaOf(SETTINGS[key]).optional()])),
});

function schemaOf(setting: Setting<unknown> | Setting<readonly unknown[]>): z.ZodType {
  if (!setting.repeatable) return setting.schema;
  return setting.file ?? z.array(setting.schema);
}

/**
 * Reads the file. Paths in it are relative to its folder.
 *
 * @throws {UsageError} The file cannot be read, is not JSON, or has an invalid value; the message has
 * a line for each fault, with its position in the file.
 */
export function readConfig(path: string): PartialSettings {
  return parseConfig(readText(path), path);
}

/** {@link readConfig} for the text of the file at `path`. */
export function parseConfig(text: string, path: string): PartialSettings {
  const value = parseJson(text, path);
  const checked = configSchema.safeParse(value);
  if (!checked.success) {
    const given = { value, schema: configSchema };
    const faults = checked.error.issues.map((issue) => describeIssues([issue], [], given));
    throw new UsageError(faults.map((fault) => `${path}: ${fault}`).join("\n"));
  }
  const values = checked.data as Readonly<Record<string, unknown>>;
  const folder = dirname(resolve(path));
  const given = KEYS.filter((key) => values[key] !== undefined);
  return Object.fromEntries(given.map((key) => {
    const { locate } = SETTINGS[key] as SettingDefinition<unknown>;
    const source = (...keys: readonly string[]) => `${path}: ${[key, ...keys].join(".")}`;
    const place = (value: unknown) => locate?.(value, { folder, source }) ?? value;
    const value = values[key];
    return [key, SETTINGS[key].repeatable ? (value as unknown[]).map(place) : place(value)];
  }));
}

/** The usual reasons. */
const UNREADABLE: Readonly<Record<string, string>> = {
  EACCES: "not allowed to read it",
  EISDIR: "it is a folder",
  ENOENT: "there is no such file",
};

function readText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as { code?: string };
    const reason = code === undefined ? undefined : UNREADABLE[code];
    throw new UsageError(`--config ${path}: ${reason ?? messageOf(error)}`);
  }
}

function parseJson(text: string, path: string): unknown {
  try {
    return JSON.parse(text);
  } catch (error) {
    throw new UsageError(`${path}: not JSON: ${messageOf(error)}`);
  }
}
