import { readdirSync, readFileSync } from "node:fs";
import { basename, join } from "node:path";
import { describe, expect, test } from "bun:test";
import { HOME_PICTURE, type PictureName, PICTURES, picturesOf } from "./support/pictures.ts";
import { ROOT } from "./support/source_files.ts";

const EXPECTED = (Object.keys(PICTURES) as PictureName[]).flatMap(picturesOf);

/** Width and height from the header (PNG 11.2.1). */
function sizeOf(png: Uint8Array): { width: number; height: number } {
  const view = new DataView(png.buffer, png.byteOffset);
  return { width: view.getUint32(16), height: view.getUint32(20) };
}

describe("docs/images", () => {
  // Each view on a desktop and on a phone, light and dark, that of the home of the site, and nothing else.
  test("has each picture in each look", () => {
    const files = readdirSync(join(ROOT, "docs/images")).map((name) => `docs/images/${name}`);
    const all = [...EXPECTED, HOME_PICTURE];
    expect(files.toSorted()).toEqual(all.map(({ file }) => file).toSorted());
    for (const { file, appearance: { width, height } } of all) {
      expect([file, sizeOf(readFileSync(join(ROOT, file)))]).toEqual([file, { width, height }]);
    }
  });

  // Every picture is shown on a page.
  test("is on its page, with an alternative text", () => {
    const page = readFileSync(join(ROOT, "docs/dashboard.md"), "utf8");
    const shown = [...page.matchAll(/!\[([^\]]+)\]\((images\/[^)]+)\)/g)]
      .map(([, , path]) => `docs/${path}`);
    expect(shown.toSorted()).toEqual(EXPECTED.map(({ file }) => file).toSorted());
    const home = readFileSync(join(ROOT, "docs/site/home.md"), "utf8");
    expect(home).toContain(`](../images/${basename(HOME_PICTURE.file)})`);
  });
});
