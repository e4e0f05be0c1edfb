/**
 * Writes the table of metrics in `docs/metrics.md`.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { join } from "node:path";
import { withMetricsTable } from "./support/metrics_reference.ts";
import { ROOT } from "./support/source_files.ts";

const page = join(ROOT, "docs/metrics.md");
writeFileSync(page, withMetricsTable(readFileSync(page, "utf8")));
