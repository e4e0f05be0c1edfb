/**
 * What axe-core finds wrong with a page.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Tab } from "./chromium.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The rules that elements break, with their markup. */
export async function violations(tab: Tab): Promise<readonly string[]> {
  await tab.evaluate(`${readFileSync(AXE, "utf8")}; 0`);
  const found = await tab.evaluate(`axe.run().then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ": " + html)))`);
  return found as string[];
}
