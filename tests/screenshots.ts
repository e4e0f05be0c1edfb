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
import { Chromium, type Tab } from "./support/chromium.ts";
import { startDashboardService } from "./support/dashboard_service.ts";
import { HOME_PICTURE, type Picture, picturesOf } from "./support/pictures.ts";
import { endRuns, start } from "./support/service_run.ts";
import { ROOT } from "./support/source_files.ts";
import { TemporaryFolder } from "./support/temporary_folder.ts";

const MAX_BYTES = 150 * 1024;
const TEXT = "document.body.innerText";
const OVERFLOWS = "document.documentElement.scrollWidth > document.documentElement.clientWidth ||" +
  "visualViewport.scale < 1";
/** How long plots fill before a picture is taken, in milliseconds. */
const FILL_MS = 24_000;

/** While they fill. */
const DESKTOP = { width: 1200, height: 800, dark: false };

const pass = (ms: number) => new Promise((resolve) => setTimeout(resolve, ms));

async function takePictures(tab: Tab, pictures: readonly Picture[]): Promise<void> {
  for (const { file, appearance } of pictures) {
    await tab.show(appearance);
    await pass(700);
    const png = await tab.screenshot();
    if (png.length > MAX_BYTES) throw new Error(`${file}: ${png.length} bytes`);
    if (await tab.evaluate(OVERFLOWS)) throw new Error(`${file} is wider than the page`);
    writeFileSync(join(ROOT, file), png);
  }
}

await using browser = await Chromium.open("--hide-scrollbars");
const demo = start("--publish", "0=10.7.0.2:80", "--publish", "0=10.7.0.2:7");
const [, url] = await demo.printed(/open (http:\S+)[\s\S]*Ctrl\+C/);
const page = await browser.visit(url!);
await page.show(DESKTOP);
await pass(FILL_MS);
await takePictures(page, picturesOf("demo"));
await endRuns();

using service = await startDashboardService();
const tab = await browser.visit(await service.url());
await tab.show(DESKTOP);
await tab.until(`${TEXT}.includes("chargen")`);
await pass(FILL_MS);
await takePictures(tab, picturesOf("dashboard"));
await tab.evaluate(`[...document.querySelectorAll(".scroll tr")]
  .find((row) => row.innerText.includes("chargen")).querySelector("a").click()`);
await pass(FILL_MS);
await takePictures(tab, picturesOf("connection"));
await endRuns();

using folder = new TemporaryFolder();
const network = await browser.visit(
  pathToFileURL(folder.write("network.html", await networkPage())).href,
);
await network.show(DESKTOP);
await pass(FILL_MS);
await takePictures(network, [HOME_PICTURE]);
folder[Symbol.dispose]();
await browser[Symbol.asyncDispose]();
process.exit(0);
