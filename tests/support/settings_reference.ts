/**
 * Files generated from the table of settings: the table in `docs/configuration.md` and the JSON
 * Schema of the configuration file.
 *
 * @module
 */
import { z } from "zod";
import { configSchema } from "../../adapters/service/settings/config.ts";
import type { JsonSchemaNotes } from "../../adapters/service/settings/setting.ts";
import { type SettingKey, SETTINGS } from "../../adapters/service/settings/settings.ts";
import { optionTexts } from "./option_tables.ts";

const COLUMNS = ["key", "flag", "default", "meaning"];
const TABLE = new RegExp(`^\\| ${COLUMNS.join(" +\\| ")} +\\|\n(?:\\|.*\n)+`, "m");

/** The page with its table of settings replaced by that of the code. */
export function withSettingsTable(page: string): string {
  if (!TABLE.test(page)) throw new Error(`the page has no table of ${COLUMNS.join(", ")}`);
  return page.replace(TABLE, () => settingsTable());
}

/** A row for each setting, padded as `deno fmt` does it. */
export function settingsTable(): string {
  const rows = (Object.keys(SETTINGS) as SettingKey[]).map((key) => {
    const { flag, repeatable, details } = SETTINGS[key];
    const flagCell = flag === undefined ? "" : `\`${flag}\`${repeatable ? " *" : ""}`;
    return [`\`${key}\``, flagCell, defaultOf(key), details]
      .map((cell) => cell.replaceAll("|", "\\|"));
  });
  const widths = COLUMNS.map((name, i) =>
    Math.max(...[name, ...rows.map((row) => row[i]!)].map(({ length }) => length))
  );
  const line = (cells: readonly string[]) =>
    `| ${cells.map((cell, i) => cell.padEnd(widths[i]!)).join(" | ")} |\n`;
  return [line(COLUMNS), line(widths.map((width) => "-".repeat(width))), ...rows.map(line)].join(
    "",
  );
}

function defaultOf(key: SettingKey): string {
  const setting = SETTINGS[key];
  if (setting.repeatable || setting.default === undefined) return setting.defaultText ?? "none";
  return typeof setting.default === "string" ? `\`${setting.default}\`` : String(setting.default);
}

/** The JSON Schema of the configuration file (draft 2020-12), as text. */
export function configJsonSchema(): string {
  const { $schema, properties = {}, ...rest } = jsonSchemaOf(configSchema);
  const described = Object.entries(properties).map(([key, value]) => {
    if (!Object.hasOwn(SETTINGS, key)) return [key, value];
    const setting = SETTINGS[key as SettingKey];
    const description = withoutLinks(setting.details);
    const hasDefault = !setting.repeatable && setting.default !== undefined;
    return [key, {
      description,
      ...key === "tcp" || key === "udp" ? withDescriptions(value) : value as object,
      ...hasDefault && { default: setting.default },
    }];
  });
  const title = "Configuration file of the berth service";
  const schema = { $schema, title, ...rest, properties: Object.fromEntries(described) };
  return JSON.stringify(schema, null, 2) + "\n";
}

/** The schema of an object with what the docstrings of its properties say. */
function withDescriptions(schema: unknown): object {
  const { properties, ...rest } = schema as { properties: Readonly<Record<string, object>> };
  const texts = optionTexts();
  const described = Object.entries(properties).map(([key, value]) => [
    key,
    { description: texts.get(key), ...value },
  ]);
  return { ...rest, properties: Object.fromEntries(described) };
}

function jsonSchemaOf(schema: z.ZodType): z.core.JSONSchema.BaseSchema {
  return z.toJSONSchema(schema, {
    io: "input",
    unrepresentable: "any",
    override: ({ jsonSchema }) => rewrite(jsonSchema),
  });
}

function rewrite(schema: z.core.JSONSchema.BaseSchema): void {
  const { shape, acceptsString, acceptsList, ...own } = schema as
    & Partial<JsonSchemaNotes>
    & z.core.JSONSchema.BaseSchema;
  let full = own;
  if (shape !== undefined) {
    const { $schema: _, ...shown } = jsonSchemaOf(shape);
    full = shown;
  }
  if (full.multipleOf === 1) {
    full.type = "integer";
    delete full.multipleOf;
  }
  if (acceptsString) full = { anyOf: [{ type: "string" }, full] };
  if (acceptsList) full = { anyOf: [full, { type: "array", items: full, minItems: 1 }] };
  for (const key of Object.keys(schema)) delete schema[key];
  Object.assign(schema, full);
}

/** Links of Markdown as their text. */
function withoutLinks(markdown: string): string {
  return markdown.replaceAll(/\[([^\]]*)\]\([^)]*\)/g, "$1");
}
