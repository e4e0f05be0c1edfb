/**
 * Writes the pictures of `docs/images`: the demo and the dashboard, on a desktop and a phone, dark and light,
 * and the network in one file.
 *
 *     deno run -A tests/screenshots.ts
 *
 * @module
 */
import { writeFileSync } from "node:fs";
import { join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { networkPage } from "../examples/browser/network_page.ts";
import { type Appearance, Chromium, type Tab } from "./support/chromium.ts";
import { startDashboardService } from "./support/dashboard_service.ts";
import { endRuns, start } from "./support/service_run.ts";
import { ROOT } from "./support/source_files.ts";
import { TemporaryFolder } from "./support/temporary_folder.ts";

const MAX_BYTES = 150 * 1024;
const TEXT = "document.body.innerText";
/** How long plots fill before a picture is taken, in milliseconds. */
const FILL_MS = 24_000;

const LOOKS: Readonly<Record<string, Appearance>> = {
  "desktop-light": { width: 1200, height: 800, dark: false },
  "desktop-dark": { width: 1200, height: 800, dark: true },
  "phone-light": { width: 390, height: 844, dark: false },
  "phone-dark": { width: 390, height: 844, dark: true },
};

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

/** `more`: pixels that a desktop is higher. */
async function takePictures(
  tab: Tab,
  name: string,
  more = 0,
  looks: readonly string[] = Object.keys(LOOKS),
): Promise<void> {
  for (const look of looks) {
    const appearance = LOOKS[look]!;
    const height = appearance.height + (look.startsWith("desktop") ? more : 0);
    await tab.show({ ...appearance, height });
    await pass(700);
    const png = await tab.screenshot();
    if (png.length > MAX_BYTES) throw new Error(`${name}-${look}: ${png.length} bytes`);
    writeFileSync(join(ROOT, "docs/images", `${name}-${look}.png`), png);
  }
}

await using browser = await Chromium.open("--hide-scrollbars");
const demo = start("--publish", "0=10.7.0.2:80", "--publish", "0=10.7.0.2:7");
const [, url] = await demo.printed(/open (http:\S+)[\s\S]*Ctrl\+C/);
const page = await browser.visit(url!);
await page.show(LOOKS["desktop-light"]!);
await pass(FILL_MS);
await takePictures(page, "demo", 110);
await endRuns();

using service = await startDashboardService();
const tab = await browser.visit(await service.url());
await tab.show(LOOKS["desktop-light"]!);
await tab.until(`${TEXT}.includes("chargen")`);
await pass(FILL_MS);
await takePictures(tab, "dashboard");
await tab.evaluate(`[...document.querySelectorAll(".scroll tr")]
  .find((row) => row.innerText.includes("chargen")).querySelector("a").click()`);
await pass(FILL_MS);
await takePictures(tab, "connection");
await endRuns();

using folder = new TemporaryFolder();
const network = await browser.visit(
  pathToFileURL(folder.write("network.html", await networkPage())).href,
);
await network.show(LOOKS["desktop-light"]!);
await pass(FILL_MS);
await takePictures(network, "network", 0, ["desktop-light"]); // the home of the site has one look
folder[Symbol.dispose]();
await browser[Symbol.asyncDispose]();
process.exit(0);
