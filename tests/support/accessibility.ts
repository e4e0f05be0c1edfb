/**
 * Checks the accessibility of a page: the violations that axe-core finds, and controls that the keyboard does not
 * reach.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { createRequire } from "node:module";
import type { Tab } from "./chromium.ts";

const AXE = createRequire(import.meta.url).resolve("axe-core/axe.min.js");

/** The rules that elements violate, with the elements' markup. */
export async function violations(tab: Tab): Promise<readonly string[]> {
  await tab.evaluate(`${readFileSync(AXE, "utf8")}; 0`);
  const found = await tab.evaluate(`axe.run().then(({ violations }) =>
    violations.flatMap(({ id, nodes }) => nodes.map(({ html }) => id + ": " + html)))`);
  return found as string[];
}

/** Controls that the Tab key does not reach, however often it is pressed. */
export async function unreachable(tab: Tab): Promise<readonly string[]> {
  const count = await tab.evaluate(`
    globalThis.controls = [...document.querySelectorAll(
      "a[href], button:not(:disabled), input:not(:disabled), [tabindex='0']",
    )].filter((element) => element.checkVisibility());
    globalThis.reached = new Set();
    document.addEventListener("focusin", ({ target }) => reached.add(target));
    document.activeElement.blur();
    controls.length`);
  for (let i = 0; i < (count as number) + 5; i++) await tab.press("Tab");
  const missed = await tab.evaluate(`controls.filter((one) => one.isConnected && !reached.has(one))
    .map((one) => one.outerHTML.slice(0, 200))`);
  return missed as string[];
}
