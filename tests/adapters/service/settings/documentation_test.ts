import { describe, expect, test } from "bun:test";
import { readFileSync } from "node:fs";
import { join } from "node:path";
import { HELP } from "../../../../adapters/service/cli/arguments.ts";
import { MAX_CONNECTIONS } from "../../../../adapters/service/publish/publish.ts";
import { configSchema, parseConfig } from "../../../../adapters/service/settings/config.ts";
import { mergeSettings } from "../../../../adapters/service/settings/merge.ts";
import { DEFAULTS } from "../../../../adapters/service/settings/settings.ts";
import { ROOT } from "../../../support/source_files.ts";

const page = readFileSync(join(ROOT, "docs/configuration.md"), "utf8");
const example = /```json\n([\s\S]*?)```/.exec(page)?.[1] ?? "";
const keys = Object.keys(configSchema.shape);

describe("docs/configuration.md", () => {
  // Whoever copies the example gets a configuration that works.
  test("has an example that is a configuration, with all keys that go together", () => {
    const settings = mergeSettings({}, parseConfig(example, "berth.json"));
    expect(settings.listen.length).toBe(6);
    // tun is in the example in place of the first, workers in place of the others
    const inOneWith = (key: string) => ["link", "capture", "impair"].includes(key);
    expect(Object.keys(JSON.parse(example))).toEqual(keys.filter((key) => !inOneWith(key)));
  });

  // A row for each key, in the schema's order, with the default that the code has.
  test("describes every key, every flag and the defaults", () => {
    const rows = [...page.matchAll(/^\| `(\w+)` +\|(.*?)\| ([^|]*?) +\|/gm)];
    expect(rows.map(([, key]) => key)).toEqual(keys);
    const flags = [...HELP.matchAll(/^ {2}(--[a-z-]+)/gm)].map(([, flag]) => flag!);
    for (const flag of flags) expect(page + "--help --version").toContain(flag);
    const defaults = new Map(rows.map(([, key, , text]) => [key, text]));
    for (
      const key of ["mtu", "workers", "profile", "keepAliveMs", "logLevel", "graceMs"] as const
    ) {
      expect(defaults.get(key)?.replaceAll("`", "")).toBe(String(DEFAULTS[key]));
    }
    expect(page).toContain(`${MAX_CONNECTIONS} connections`);
  });
});
