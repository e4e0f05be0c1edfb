import { execFileSync } from "node:child_process";
import process from "node:process";
import { afterAll, beforeAll, describe, expect } from "bun:test";
import { unreachable, violations } from "../support/accessibility.ts";
import { Chromium } from "../support/chromium.ts";
import { Namespace } from "../support/namespace.ts";
import { requires, testRequiring } from "../support/requirements.ts";
import { endRuns, Run, start } from "../support/service_run.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";

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

/** The words of a command that the page shows, for the runtime of this test. */
function argumentsOf(command: string): string[] {
  const words = command.replace(/\\\n/g, " ").trim().split(/\s+/);
  const at = words.indexOf("main.ts");
  expect(words.slice(0, at).join(" ")).toBe(process.versions.bun ? "bun run" : "deno run -A");
  return [process.execPath, ...words.slice(1)];
}

/** Runs a command of the page until it serves. */
async function startStep(command: string): Promise<Run> {
  const [program, ...args] = argumentsOf(command);
  const run = new Run(program!, args);
  await run.printed(/Ctrl\+C/);
  return run;
}

describe("the demo in Chromium", () => {
  // The network runs, a slider changes it, the echo answers, and the page lists what is served.
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

  // Follows the page's instructions: writes the file of each step, runs its command, and tries the last line of the
  // step with a client.
  testRequiring(
    [
      CHROMIUM,
      "tun",
      "program:curl",
      "program:ip",
      "program:nc",
      "program:nsenter",
      "program:ping",
    ],
    "has three next steps that work",
    async () => {
      const run = start("--publish", "0=10.7.0.2:80");
      const [, url] = await run.printed(/open (http:\S+)[\s\S]*Ctrl\+C/);
      const tab = await browser.visit(url!);
      await tab.until("document.querySelector('#serve-subnet').textContent !== ''");
      const steps = await tab.evaluate(
        `[...document.querySelectorAll(".steps article")].map((step) => ({
        title: step.querySelector("h3").textContent,
        texts: [...step.querySelectorAll("pre")].map((pre) => pre.textContent),
      }))`,
      ) as { title: string; texts: string[] }[];
      expect(steps.map(({ title }) => title))
        .toEqual(["Serve your own app", "Write a protocol", "Own a subnet"]);
      const [app, protocol, subnet] = steps.map(({ texts }) => texts);
      using folder = new TemporaryFolder();

      const appPath = folder.write("app.ts", app![0]!);
      const serveApp = await startStep(app![1]!.replace("./app.ts", appPath));
      const [, page] = await serveApp.printed(/open (http:\S+)/);
      expect(await (await fetch(page!)).text()).toBe("ahoy\n");
      await endRuns();

      const shoutPath = folder.write("shout.ts", protocol![0]!);
      const [serve, client] = protocol![1]!.split("\n");
      const shout = await startStep(serve!.replace("./shout.ts", shoutPath));
      const [, port] = await shout.printed(/127\.0\.0\.1:(\d+)/);
      expect(client).toBe(`nc 127.0.0.1 ${port}`);
      const said = execFileSync("sh", ["-c", `echo ahoy | ${client} -N`], { encoding: "utf8" });
      expect(said).toBe("AHOY\n");
      await endRuns();

      await using namespace = await Namespace.open();
      const service = namespace.start(...argumentsOf(subnet![0]!));
      await service.printed(/Ctrl\+C/);
      const [curl, ping] = subnet![1]!.split("\n");
      expect(await namespace.shell(`${curl} -s`)).toContain("<title>berth");
      expect(await namespace.shell(`${ping} -c 1`)).toContain("1 received");
    },
    60_000,
  );
});
