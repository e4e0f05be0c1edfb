/**
 * Writes `docs/catalogue.md`.
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import { catalogue, formatCatalogue } from "./support/catalogue.ts";
import { ROOT } from "./support/source_files.ts";

writeFileSync(join(ROOT, "docs/catalogue.md"), formatCatalogue(catalogue()));
