/**
 * Writes `docs/catalogue.md` and the pages below `docs/reference/`.
 *
 * @module
 */
import { mkdirSync, rmSync, writeFileSync } from "node:fs";
import { dirname, join } from "node:path";
import { catalogue } from "./support/catalogue.ts";
import * as berth from "./support/public_api.ts";
import { formatCatalogue, referencePages } from "./support/reference_pages.ts";
import { ROOT } from "./support/source_files.ts";

const entries = catalogue();
const docs = join(ROOT, "docs");
rmSync(join(docs, "reference"), { recursive: true, force: true });
writeFileSync(join(docs, "catalogue.md"), formatCatalogue(entries));
for (const { path, text } of referencePages(entries, berth)) {
  mkdirSync(dirname(join(docs, path)), { recursive: true });
  writeFileSync(join(docs, path), text);
}
