import { afterAll, beforeAll, describe, expect } from "bun:test";
import { Chromium } from "../support/chromium.ts";
import { requires, SITE, testRequiring } from "../support/requirements.ts";
import { StaticServer } from "../support/static_server.ts";

const CHROMIUM = "program:chromium";
const DESKTOP = { width: 1280, height: 900, dark: false };
const PHONE = { width: 360, height: 740, dark: true };
/** One of each kind: the first page, long lines of code, wide tables, many sections, generated pages. */
const PAGES = [
  "index.html",
  "tutorial.html",
  "install.html",
  "configuration.html",
  "metrics.html",
  "benchmarks.html",
  "decisions.html",
  "reference/plugins/http.html",
  "api/index.html",
  "api/testing/index.html",
];

let browser: Chromium;
let server: StaticServer;
beforeAll(async () => {
  if (!requires(CHROMIUM, "site").ok) return;
  server = await StaticServer.open(SITE);
  browser = await Chromium.open();
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await server?.[Symbol.asyncDispose]();
});

describe("the website of the documentation", () => {
  // A build does not detect a missing script or picture, or one on another host.
  testRequiring([CHROMIUM, "site"], "loads from its own host only, without errors", async () => {
    const { tab, observation } = await browser.observe(`${server.origin}/index.html`);
    for (const page of PAGES) {
      await tab.open(`${server.origin}/${page}`);
      await tab.until("document.title.includes('berth') && document.body.innerText.length > 500");
    }
    expect(observation.complaints).toEqual([]);
    expect(observation.requests.filter((url) => !/^data:/.test(url) && !isOwn(url))).toEqual([]);
    expect(observation.requests.length).toBeGreaterThan(PAGES.length * 2);
  }, 60_000);

  // A reader follows links from the first page to a page of the reference.
  testRequiring([CHROMIUM, "site"], "leads from the first page to the reference", async () => {
    const tab = await browser.visit(`${server.origin}/index.html`);
    await tab.show(DESKTOP);
    expect(await tab.evaluate("document.querySelector('h1').innerText")).toContain("berth");
    await tab.follow("All pages");
    await tab.follow("Catalogue");
    await tab.follow("http");
    await tab.until("document.querySelector('h1').innerText.includes('http')");
    expect(await tab.evaluate("document.querySelectorAll('table tr').length"))
      .toBeGreaterThan(3);
    await tab.open(`${server.origin}/index.html`);
    await tab.follow("Try it in this browser");
    await tab.until(`/receives [1-9][\\d.]* Mbit/.test(document.body.innerText)`);
  }, 60_000);

  // The reader searches for a word of the text and for a name of the API.
  testRequiring([CHROMIUM, "site"], "finds pages by their words", async () => {
    const tab = await browser.visit(`${server.origin}/index.html`);
    await tab.show(DESKTOP);
    for (const words of ["congestion window", "readLines"]) {
      await tab.evaluate("document.querySelector('.DocSearch-Button').click()");
      await tab.until("document.activeElement?.matches('input[type=search], .search-input')");
      await tab.type(words);
      await tab.until("document.querySelectorAll('.results .result').length > 0");
      await tab.press("Enter");
      await tab.until(
        "document.querySelector('.results') === null && !/index.html$/.test(location)",
      );
      for (const word of words.split(" ")) {
        await tab.until(`/${word}/i.test(document.querySelector("main")?.innerText)`);
      }
    }
  }, 60_000);

  // Wide tables and code scroll by themselves, not the page.
  testRequiring([CHROMIUM, "site"], "fits on a phone", async () => {
    const tab = await browser.visit(`${server.origin}/index.html`);
    await tab.show(PHONE);
    for (const page of PAGES) {
      await tab.open(`${server.origin}/${page}`);
      await tab.until("document.fonts.status === 'loaded'");
      expect([page, await tab.evaluate("document.documentElement.scrollWidth")])
        .toEqual([page, PHONE.width]);
    }
  }, 60_000);
});

function isOwn(url: string): boolean {
  return new URL(url).origin === server.origin;
}
