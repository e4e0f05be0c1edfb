/**
 * The configuration file.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { dirname, resolve } from "node:path";
import { z } from "zod";
import { faultsOf } from "../../../core/api/options.ts";
import { messageLine, UsageError } from "../errors.ts";
import { parseJsonc, type Position } from "./jsonc.ts";
import { numberFrom, type Origin, type Setting, type SettingDefinition } from "./setting.ts";
import { type PartialSettings, type SettingKey, SETTINGS } from "./settings.ts";
import { environmentVariable, expandVariables, type ReadVariable } from "./variables.ts";

const KEYS = Object.keys(SETTINGS) as SettingKey[];

/** The whole file. `$schema` names the JSON Schema for editors; the service ignores it. */
export const configSchema: z.ZodObject = z.strictObject({
  $schema: z.string().optional(),
  ...Object.fromEntries(KEYS.map((key) => [key, schemaOf(SETTINGS[key]).optional()])),
});

function schemaOf(setting: Setting<unknown> | Setting<readonly unknown[]>): z.ZodType {
  if (!setting.repeatable) return setting.schema;
  return setting.file ?? z.array(setting.schema);
}

/**
 * Reads the text of the file at `path`: JSON with comments, trailing commas and `${NAME}` for environment
 * variables. Paths in it are relative to its folder.
 *
 * @throws {UsageError} The text is not JSON, or has an invalid value. The message has a line for each fault, which
 * begins with `NAME:LINE:COLUMN`.
 */
export function parseConfig(
  text: string,
  path: string,
  readVariable: ReadVariable = environmentVariable,
  name: string = path,
): PartialSettings {
  const document = parseJsonc(text);
  const at = ({ line, column }: Position) => `${name}:${line}:${column}`;
  const refuse = (faults: readonly (Fault & { readonly position: Position })[]) => {
    if (faults.length === 0) return;
    const lines = faults.map(({ position, path: keys, message }) =>
      [at(position), ...keys.length > 0 ? [keys.join(".")] : [], message].join(": ")
    );
    throw new UsageError(lines.join("\n"));
  };
  const atValue = (fault: Fault) => ({ ...fault, position: document.valueAt(fault.path) });

  refuse(document.faults);
  const expanded = expandVariables(document.value, readVariable);
  refuse(expanded.faults.map(atValue));
  const value = withNumbers(expanded.value, document.value);
  const checked = configSchema.safeParse(value);
  if (!checked.success) {
    refuse(checked.error.issues.flatMap((issue) => {
      const isKeys = issue.code === "unrecognized_keys" || issue.code === "invalid_key";
      return faultsOf([issue], { value, schema: configSchema }).map((fault) =>
        isKeys ? { ...fault, position: document.keyAt(fault.path) } : atValue(fault)
      );
    }));
  }
  const origin = (key: string): Origin => ({
    folder: dirname(resolve(path)),
    source: (...keys) => `${at(document.valueAt([key, ...keys]))}: ${[key, ...keys].join(".")}`,
  });
  return located(checked.data as Readonly<Record<string, unknown>>, origin);
}

interface Fault {
  readonly path: readonly PropertyKey[];
  readonly message: string;
}

/**
 * Turns strings into numbers where a variable was replaced: variables occur only in strings, so `"mtu": "${MTU}"` is
 * read as a number, like the text of `--mtu`.
 */
function withNumbers(value: unknown, written: unknown): unknown {
  if (typeof value !== "object" || value === null) return value;
  return Object.fromEntries(
    Object.entries(value).map(([key, expanded]) => {
      const before = (written as Readonly<Record<string, unknown>>)[key];
      const isNumber = Object.hasOwn(SETTINGS, key) &&
        SETTINGS[key as SettingKey].schema instanceof z.ZodNumber;
      const isExpanded = typeof expanded === "string" && expanded !== before;
      return [key, isNumber && isExpanded ? numberFrom(expanded) : expanded];
    }),
  );
}

function located(
  values: Readonly<Record<string, unknown>>,
  origin: (key: string) => Origin,
): PartialSettings {
  const given = KEYS.filter((key) => values[key] !== undefined);
  return Object.fromEntries(given.map((key) => {
    const { locate } = SETTINGS[key] as SettingDefinition<unknown>;
    const place = (value: unknown) => locate?.(value, origin(key)) ?? value;
    const value = values[key];
    return [key, SETTINGS[key].repeatable ? (value as unknown[]).map(place) : place(value)];
  }));
}

/** Explanations of the usual errors, by code. */
const UNREADABLE: Readonly<Record<string, string>> = {
  EACCES: "not allowed to read it",
  EISDIR: "it is a folder",
  ENOENT: "there is no such file",
};

/**
 * The text of a configuration file.
 *
 * @throws {UsageError} It cannot be read.
 */
export function readConfigText(path: string): string {
  try {
    return readFileSync(path, "utf8");
  } catch (error) {
    const { code } = error as { code?: string };
    const reason = code === undefined ? undefined : UNREADABLE[code];
    throw new UsageError(`--config ${path}: ${reason ?? messageLine(error)}`);
  }
}
