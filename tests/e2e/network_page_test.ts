import { afterAll, beforeAll, describe, expect } from "bun:test";
import { pathToFileURL } from "node:url";
import { networkPage } from "../../examples/browser/network_page.ts";
import { violations } from "../support/accessibility.ts";
import { Chromium } from "../support/chromium.ts";
import { requires, testRequiring } from "../support/requirements.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";

const CHROMIUM = "program:chromium";
const TEXT = "document.body.innerText";

let browser: Chromium;
beforeAll(async () => {
  if (requires(CHROMIUM).ok) browser = await Chromium.open();
});
afterAll(() => browser?.[Symbol.asyncDispose]());

describe("examples/browser/network_page.ts", () => {
  // One file, opened from the disk; the stacks run in the page, and a slider changes their path.
  testRequiring([CHROMIUM], "is a network in a page without a server", async () => {
    using folder = new TemporaryFolder();
    const file = folder.write("network.html", await networkPage());
    const tab = await browser.visit(pathToFileURL(file).href);
    await tab.until(`/receives [1-9][\\d.]* Mbit/.test(${TEXT})`);
    await tab.until(`/[1-9]\\d* segments retransmitted/.test(${TEXT})`);
    await tab.evaluate("document.querySelector('input[type=range]').focus()");
    await tab.press("End");
    await tab.until(`${TEXT}.includes("250 ms")`);
    await tab.until(`document.querySelector('[aria-label^="Round-trip time"]').ariaLabel
      .match(/smoothed (\\d+)/)?.[1] >= 250`);
    expect(await violations(tab)).toEqual([]);
  }, 60_000);
});
