import { afterAll, beforeAll, describe, expect } from "bun:test";
import { unreachable, violations } from "../support/accessibility.ts";
import { Chromium } from "../support/chromium.ts";
import { requires, testRequiring } from "../support/requirements.ts";
import { endRuns, start } from "../support/service_run.ts";

const CHROMIUM = "program:chromium";
const TEXT = "document.body.innerText";
const FITS = "document.documentElement.scrollWidth <= document.documentElement.clientWidth";

let browser: Chromium;
beforeAll(async () => {
  if (requires(CHROMIUM).ok) browser = await Chromium.open();
});
afterAll(async () => {
  await browser?.[Symbol.asyncDispose]();
  await endRuns();
});

describe("the demo in Chromium", () => {
  // The network runs, a slider changes it, the echo answers, and what is shown is what is served.
  testRequiring([CHROMIUM], "shows a network that can be changed", async () => {
    const run = start("--publish", "0=10.7.0.2:80", "--publish", "0=10.7.0.2:7");
    const [, url] = await run.printed(/open (http:\S+)[\s\S]*Ctrl\+C/);
    const tab = await browser.visit(url!);
    await tab.until(`/receives [\\d.]+ Mbit/.test(${TEXT})`);
    await tab.until(`/[1-9]\\d* packets sent/.test(${TEXT})`);
    expect(await tab.evaluate(TEXT)).toContain("10.7.0.2 port 80");
    expect(await tab.evaluate(TEXT)).toMatch(/echo\s+nc 127\.0\.0\.1 \d+/);
    // By the keyboard: from 25 ms to the end of the slider.
    await tab.evaluate("document.querySelector('input[type=range]').focus()");
    await tab.press("End");
    await tab.until(`${TEXT}.includes("250 ms")`);
    await tab.until(`document.querySelector('[aria-label^="Round-trip time"]').ariaLabel
      .match(/smoothed (\\d+)/)?.[1] >= 250`);
    await tab.evaluate("document.querySelector('#echo button').click()");
    await tab.until(`/ahoy, after [\\d.]+ ms/.test(${TEXT})`);
    expect(await unreachable(tab)).toEqual([]);
    for (const width of [1280, 390]) {
      for (const dark of [false, true]) {
        await tab.show({ width, height: 900, dark });
        expect([width, dark, await violations(tab)]).toEqual([width, dark, []]);
        expect(await tab.evaluate(FITS)).toBe(true);
      }
    }
    expect(run.log).not.toContain(" warn ");
    expect(run.log).not.toContain(" error ");
  }, 60_000);
});
