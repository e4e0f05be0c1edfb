import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { helpText } from "../../../../adapters/service/cli/help.ts";
import { MAX_CONNECTIONS } from "../../../../adapters/service/publish/publish.ts";
import { parseConfig } from "../../../../adapters/service/settings/config.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import { SETTINGS } from "../../../../adapters/service/settings/settings.ts";
import { configJsonSchema, settingsTable } from "../../../support/settings_reference.ts";
import { ROOT } from "../../../support/source_files.ts";

const page = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");
const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
const keys = Object.keys(SETTINGS);

describe("docs/configuration.md", () => {
  // The example has to be a working configuration.
  test("has a valid example with all keys that can be combined", () => {
    const settings = mergeSettings({}, parseConfig(example, "berth.json"));
    expect(settings.listen.length).toBe(6);
    // `tun` excludes the first, `workers` the others.
    const isExcluded = (key: string) =>
      ["link", "capture", "impair", "peers", "moves"].includes(key);
    expect(Object.keys(JSON.parse(example)))
      .toEqual(["$schema", ...keys.filter((key) => !isExcluded(key))]);
  });

  // `deno task settings` writes the table.
  test("has the generated table of settings, with every flag", () => {
    expect(page).toContain(settingsTable());
    const flags = [...helpText().matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag!);
    for (const flag of flags) expect(page + "--help --version").toContain(flag);
    expect(page.replaceAll("\n", " ")).toContain(`${MAX_CONNECTIONS} connections`);
  });
});

describe("berth.schema.json", () => {
  const text = readFileSync(join(ROOT, "berth.schema.json"), "utf8");

  // `deno task settings` writes it.
  test("is the generated schema", () => {
    expect(text).toBe(configJsonSchema());
  });

  // Editors show the description, the default and the forms of a value.
  test("describes every key, its forms and its default", () => {
    const { properties, additionalProperties } = JSON.parse(text);
    expect(Object.keys(properties)).toEqual(["$schema", ...keys]);
    expect(additionalProperties).toBe(false);
    for (const key of keys) expect(properties[key].description.length).toBeGreaterThan(10);
    expect(properties.mtu).toMatchObject({
      type: "integer",
      minimum: 68,
      maximum: 65_535,
      default: 1500,
    });
    expect(properties.capture.anyOf.map((one: { type: string }) => one.type))
      .toEqual(["string", "object"]);
    expect(properties.icmp.anyOf.map((one: { type: string }) => one.type))
      .toEqual(["object", "array"]);
  });
});
