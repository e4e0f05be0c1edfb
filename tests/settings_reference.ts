/**
 * Writes `berth.schema.json` and the tables of settings and options in `docs/configuration.md`.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withOptionsTable } from "./support/option_tables.ts";
import { configJsonSchema, withSettingsTable } from "./support/settings_reference.ts";
import { ROOT } from "./support/source_files.ts";

const page = join(ROOT, "docs/configuration.md");
writeFileSync(page, withOptionsTable(withSettingsTable(readFileSync(page, "utf8"))));
writeFileSync(join(ROOT, "berth.schema.json"), configJsonSchema());
