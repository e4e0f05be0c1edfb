import { describe, expect, test } from "bun:test";
import { asset, assetResponse } from "../../../adapters/pages/assets.ts";
import { filePaths, importsOf, sourceFiles } from "../../support/source_files.ts";

const PAGES = "adapters/pages";
const request = (headers: Record<string, string> = {}) =>
  new Request("http://localhost/", { headers });

describe("assets", () => {
  // The table has every module and style sheet of the pages, in a form that a browser can use.
  test("are all files of the pages", async () => {
    const files = [".ts", ".css", ".html"].flatMap((ending) => filePaths([PAGES], ending))
      .filter((path) => path.split("/").length > 3)
      .map((path) => path.slice(PAGES.length + 1));
    expect(files.length).toBeGreaterThan(10);
    const served = files.filter((path) => !isForBundles(path));
    for (const path of served) {
      expect([path, await asset(path) !== undefined]).toEqual([path, true]);
    }
  });

  // Relative imports are other files, and packages are found by URLs.
  test("import only what is served", async () => {
    for (const file of sourceFiles(PAGES).filter(({ path }) => path.split("/").length > 3)) {
      const path = file.path.slice(PAGES.length + 1);
      if (isForBundles(path)) continue;
      const { body } = (await asset(path))!;
      for (const [, specifier] of body.matchAll(/\b(?:from|import)\s*["']([^"'\n]+)["']/g)) {
        const url = new URL(specifier!, `http://localhost/assets/${path}`);
        const name = url.pathname.slice("/assets/".length);
        expect([path, specifier, await asset(name) !== undefined]).toEqual([path, specifier, true]);
      }
      expect(importsOf(file).filter(({ specifier }) => specifier.startsWith("node:"))).toEqual([]);
    }
  });

  // preact/hooks imports preact.
  test("of packages import each other by URLs", async () => {
    expect((await asset("lib/preact_hooks.js"))!.body).toContain('from"/assets/lib/preact.js"');
    expect((await asset("lib/uplot.js"))!.body).toContain("uPlot");
    expect((await asset("dashboard/main.ts"))!.body).not.toContain("): VNode");
  });

  test("are sent again only after a change", async () => {
    const first = await assetResponse("shared/style.css", request());
    expect(first.headers.get("x-content-type-options")).toBe("nosniff");
    const again = request({ "If-None-Match": first.headers.get("etag")! });
    expect((await assetResponse("shared/style.css", again)).status).toBe(304);
    for (const name of ["", "nothing.js", "../assets.ts", "constructor"]) {
      expect((await assetResponse(name, request())).status).toBe(404);
    }
  });
});

/** Modules of the static page, which is bundled. */
function isForBundles(path: string): boolean {
  return path.startsWith("demo/network/") || path.startsWith("demo/static");
}
