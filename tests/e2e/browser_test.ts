import { execFile } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { afterAll, beforeAll, describe, expect, test } from "bun:test";
import * as inBrowsers from "../../exports/browser.ts";
import * as everything from "../support/public_api.ts";
import { Chromium, type Tab } from "../support/chromium.ts";
import { Program, runtimeCommand } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { ROOT } from "../support/source_files.ts";

let folder: string;
let script: string;

// The runtime's bundler, as documented.
beforeAll(async () => {
  folder = mkdtempSync(join(tmpdir(), "berth-"));
  script = join(folder, "page.js");
  const options = process.versions.bun
    ? ["build", "--target", "browser", "--outfile", script]
    : ["bundle", "--quiet", "--platform", "browser", "--output", script];
  await promisify(execFile)(process.execPath, [...options, "examples/browser/page.ts"], {
    cwd: ROOT,
  });
});
afterAll(() => rmSync(folder, { recursive: true }));

describe("@berth/berth/browser", () => {
  // The bundle must run without an operating system.
  test("does not depend on a runtime", () => {
    const bundle = readFileSync(script, "utf8");
    expect(bundle).toContain("10.9.0.2");
    expect(bundle.match(/["'](node|bun|deno):[^"']*["']/g)).toBe(null);
  });

  // Its exports are the same as those of the package.
  test("is a part of the package", () => {
    for (const [name, value] of Object.entries(inBrowsers)) {
      expect([name, (everything as Record<string, unknown>)[name] === value]).toEqual([name, true]);
    }
  });
});

describe("examples/browser", () => {
  // Two tabs: each has its own network with the same addresses.
  testRequiring(["program:chromium"], "a page in Chromium pings and fetches", async () => {
    const service = new Program(
      ["env", `PAGE_SCRIPT=${script}`].concat(
        runtimeCommand("main.ts", "--listen", "80=http:./examples/browser/app.ts", "--publish"),
        ["0=10.7.0.2:80", "--log-level", "warn"],
      ),
      ROOT,
    );
    try {
      const [, port] = await service.printed(/open http:\/\/127\.0\.0\.1:(\d+)\//);
      await service.printed(/Ctrl\+C/);
      await using browser = await Chromium.open();
      const url = `http://127.0.0.1:${port}/`;
      for (const tab of [await browser.visit(url), await browser.visit(url)]) {
        const [attached, ping, ...rest] = await linesOf(tab);
        expect(attached).toBe("attached as 10.9.0.2");
        expect(ping).toMatch(/^10\.9\.0\.1 answered a ping after \d+\.\d ms$/);
        expect(rest).toEqual([
          "GET http://10.9.0.1/: hello from behind the WebSocket",
          "GET http://[fd09::1]/: hello from behind the WebSocket",
          "done",
        ]);
      }
      expect(service.log).toBe("");
    } finally {
      service.signal("SIGTERM");
      await service.finish(15_000);
    }
  }, 60_000);

  // A page of another site must not reach services that its visitor can reach.
  test("does not let pages of other sites attach", async () => {
    const { default: app } = await import("../../examples/browser/app.ts");
    const status = async (origin: string) => {
      const headers = { Origin: origin, Host: "127.0.0.1:8080" };
      return (await app.request("/attach", { headers })).status;
    };
    expect(await status("http://elsewhere.example")).toBe(403);
    expect(await status("null")).toBe(403);
    expect(await status("http://127.0.0.1:8080")).not.toBe(403);
  });
});

/** Text of the page once it is done. */
async function linesOf(tab: Tab): Promise<string[]> {
  const lines = await tab.evaluate(`new Promise((resolve) => {
    const look = () => {
      const lines = [...document.querySelectorAll("li")].map((item) => item.textContent);
      if (lines.some((line) => /^(done|failed)/.test(line))) resolve(lines);
      else setTimeout(look, 20);
    };
    look();
  })`);
  return lines as string[];
}
