import { existsSync, readFileSync } from "node:fs";
import { dirname, join, normalize } from "node:path";
import { describe, expect, test } from "bun:test";
import { filePaths, ROOT } from "./support/source_files.ts";

const pages = filePaths([
  "README.md",
  "CHANGELOG.md",
  "CONTRIBUTING.md",
  "SECURITY.md",
  "docs",
  "examples",
], ".md").filter((path) => !path.startsWith("docs/site/"));
const texts = new Map(pages.map((path) => [path, readFileSync(join(ROOT, path), "utf8")]));

describe("documentation", () => {
  // A reader cannot find a page that is not in the index.
  test("docs/README.md lists every page", () => {
    const listed = linksOf("docs/README.md").map(({ path }) => path);
    const missing = pages.filter((path) => path.startsWith("docs/") && path !== "docs/README.md")
      .filter((path) => !path.startsWith("docs/reference/"))
      .filter((path) => !listed.includes(path));
    expect(missing).toEqual([]);
  });

  // The pages of plugins, middleware and links are listed there, by kind.
  test("docs/catalogue.md lists every page of the reference", () => {
    const listed = linksOf("docs/catalogue.md").map(({ path }) => path);
    const reference = pages.filter((path) => path.startsWith("docs/reference/"));
    expect(reference.filter((path) => !listed.includes(path))).toEqual([]);
    expect(reference.length).toBeGreaterThan(30);
  });

  // A reader who follows a link arrives at the section that it names.
  test("links lead to files and sections that exist", () => {
    const broken = pages.flatMap((page) =>
      linksOf(page)
        .filter(({ path, section }) => !leadsSomewhere(path, section))
        .map(({ link }) => `${page}: ${link}`)
    );
    expect(broken).toEqual([]);
  });

  // Paths of source files in prose must be updated when files move, except in a column of former
  // paths.
  test.each(["README.md", "CONTRIBUTING.md", "docs/architecture.md", "docs/decisions.md"])(
    "%s names source files that exist",
    (page) => {
      const text = texts.get(page)!.replace(/^(\| *\d+ *\|[^|]*\|)[^|]*\|/gm, "$1");
      const named = text.match(/\b(?:core|plugins|adapters|tests)(?:\/\w+)+\.ts\b/g) ?? [];
      expect(named.filter((path) => !existsSync(join(ROOT, path)))).toEqual([]);
    },
  );
});

interface PageLink {
  readonly link: string;
  /** Relative to the root of the repository. */
  readonly path: string;
  readonly section: string | undefined;
}

/** The relative links of a page, outside of code. */
function linksOf(page: string): PageLink[] {
  const prose = texts.get(page)!.replace(/^```[\s\S]*?^```/gm, "").replace(/`[^`\n]*`/g, "");
  return [...prose.matchAll(/\]\(([^)\s]+)\)/g)]
    .map(([, link = ""]) => link)
    .filter((link) => !/^[a-z]+:/.test(link))
    .map((link) => {
      const [path = "", section] = link.split("#");
      return { link, path: path === "" ? page : normalize(join(dirname(page), path)), section };
    });
}

function leadsSomewhere(path: string, section: string | undefined): boolean {
  const text = texts.get(path);
  if (text === undefined || section === undefined) return existsSync(join(ROOT, path));
  return [...text.matchAll(/^#+ (.*)$/gm)].some(([, heading = ""]) =>
    anchorOf(heading) === section
  );
}

/** As repository hosts make it: lower case, punctuation left out, hyphens for spaces. */
function anchorOf(heading: string): string {
  return heading.toLowerCase().replace(/[^\p{L}\p{N} _-]/gu, "").replaceAll(" ", "-");
}
