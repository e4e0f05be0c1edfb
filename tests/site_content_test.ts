import { existsSync, readFileSync, statSync } from "node:fs";
import { join, posix } from "node:path";
import { describe, expect, test } from "bun:test";
import { MADE_PAGES, siteContent, sitePath } from "../docs/site/content.ts";
import { filePaths, ROOT } from "./support/source_files.ts";

/** The content of a repository in memory. */
function contentOf(texts: Readonly<Record<string, string>>) {
  const pages = Object.keys(texts).filter((path) => path.endsWith(".md"));
  return siteContent({ pages, read: (path) => texts[path] });
}

/** The content of this repository. */
const own = siteContent({
  pages: [
    ...["README.md", "CHANGELOG.md", "CONTRIBUTING.md", "SECURITY.md", "examples/README.md"],
    ...filePaths(["docs"], ".md"),
  ],
  read(path) {
    const file = join(ROOT, path);
    return existsSync(file) && statSync(file).isFile() ? readFileSync(file, "utf8") : undefined;
  },
});

describe("siteContent", () => {
  // Pages move, so links between them change.
  test("rewrites links between pages, sections included", () => {
    const { pages } = contentOf({
      "README.md": "[a](docs/a.md) [section](docs/deep/b.md#there) [here](#below)",
      "docs/a.md": "[home](../README.md) [`b`](deep/b.md)",
      "docs/deep/b.md": "[up](../a.md) [out](https://example.org/x)",
      "docs/README.md": "",
    });
    expect(Object.fromEntries(pages)).toEqual({
      "readme.md": "[a](./a.md) [section](./deep/b.md#there) [here](#below)",
      "a.md": "[home](./readme.md) [`b`](./deep/b.md)",
      "deep/b.md": "[up](../a.md) [out](https://example.org/x)",
      "contents.md": "",
    });
  });

  // A reader of the site has no checkout.
  test("copies images and source files that pages link to", () => {
    const { pages, files } = contentOf({
      "docs/a.md":
        "![chart](images/x.svg) [code](../core/x.ts) [folder](../core) [`d`](../gone.ts)",
      "core/x.ts": "",
    });
    expect(pages.get("a.md"))
      .toBe("![chart](./images/x.svg) [code](/source/core/x.ts.txt) folder `d`");
    expect([...files]).toEqual([
      ["images/x.svg", "docs/images/x.svg"],
      ["public/source/core/x.ts.txt", "core/x.ts"],
    ]);
  });

  // The repository's host chooses a picture by colour scheme; the site shows only one.
  test("shows the light one of two pictures", () => {
    const picture =
      '<picture>\n  <source srcset="i/d.png">\n  <img alt="Demo" src="i/l.png">\n</picture>\n';
    const { pages, files } = contentOf({ "docs/a.md": picture });
    expect(pages.get("a.md")).toBe("![Demo](./i/l.png)\n");
    expect([...files]).toEqual([["i/l.png", "docs/i/l.png"]]);
  });

  // On the site, a link to a program leads to the page that the program writes; a picture can be such a link.
  test("lets links to a program lead to the page that it writes", () => {
    const program = "examples/browser/network_page.ts";
    const image = '<picture>\n  <img alt="Net" src="i/l.png">\n</picture>';
    const { pages, files } = contentOf({
      "README.md": `[a](${program}) [![b](i/b.png)](${program})`,
      "docs/deep/a.md": `<a href="../../${program}">\n${image}\n</a>\n`,
      [program]: "",
    });
    const attributes = '{target="_self"}'; // so the generator's router leaves it to the browser
    expect(pages.get("readme.md"))
      .toBe(`[a](./network.html)${attributes} [![b](./i/b.png)](./network.html)${attributes}`);
    expect(pages.get("deep/a.md"))
      .toBe(`[![Net](./i/l.png)](../network.html)${attributes}\n`);
    expect([...files.keys()]).toEqual(["i/b.png", "deep/i/l.png"]);
  });

  // Links in code are examples, and comments are for editors of the page.
  test("leaves code alone and removes comments", () => {
    const { pages } = contentOf({
      "docs/a.md": "<!-- Written by x. -->\n\n```ts\n[a](b.md)\n```\n",
    });
    expect(pages.get("a.md")).toBe("```ts\n[a](b.md)\n```\n");
  });

  // The index gives the order, the catalogue the reference.
  test("makes the navigation from the index and the catalogue", () => {
    const table = (rows: string) => `| page | about |\n| --- | --- |\n${rows}\n`;
    const { sidebar } = contentOf({
      "docs/README.md": `# D\n\n## Reference\n\n${table("| [C](catalogue.md) | x |")}\n## End\n\n${
        table("| [A](a.md) | x |")
      }`,
      "docs/catalogue.md": `# C\n\n## Plugins\n\n${table("| [`p`](reference/p.md) | x |")}`,
      "docs/reference/p.md": "",
      "docs/a.md": "",
    });
    expect(sidebar).toEqual([
      { text: "Reference", items: [{ text: "C", link: "/catalogue" }] },
      { text: "Plugins", items: [{ text: "p", link: "/reference/p" }], collapsed: true },
      { text: "End", items: [{ text: "A", link: "/a" }] },
    ]);
  });
});

describe("the site of this repository", () => {
  // The generator fails on dead links too, but it is not installed in the tests.
  test("has no link that leads nowhere", () => {
    const places = new Set([
      ...own.pages.keys(),
      ...own.files.keys(),
      ...Object.values(MADE_PAGES),
    ]);
    const dead = [...own.pages].flatMap(([page, text]) =>
      [
        ...text.replace(/^```[^]*?^```$/gm, "").replace(/`[^`\n]*`/g, "").matchAll(
          /\]\(([^)\s]+)\)/g,
        ),
      ].map(([, link = ""]) => link)
        .filter((link) => !/^(?:[a-z]+:|#)/.test(link))
        .filter((link) => {
          const [path = ""] = link.split("#");
          const target = path.startsWith("/")
            ? `public${path}`
            : posix.join(posix.dirname(page), path);
          return !places.has(target);
        }).map((link) => `${page}: ${link}`)
    );
    expect(dead).toEqual([]);
    expect(places.size).toBeGreaterThan(60);
  });

  // A visitor can try the network without installing anything.
  test.each(["readme.md", "index.md"])("%s shows the network that runs in a page", (page) => {
    const [first] = own.pages.get(page)!.split("## As a library");
    expect(first).toMatch(/\[!\[[^\]]+\]\(\S+\.png\)\]\(\.\/network\.html\)/);
  });

  // A page that is not in the navigation could only be found by search.
  test("has every page in the navigation", () => {
    const listed = own.sidebar.flatMap(({ items }) =>
      items.map(({ link }) => `${link.slice(1)}.md`)
    );
    const missing = [...own.pages.keys()].filter((page) => !listed.includes(page));
    const [changes, index, home] = ["CHANGELOG.md", "docs/README.md", "docs/site/home.md"];
    expect(missing.toSorted()).toEqual([changes, index, home].map((page) => sitePath(page!)));
    expect(new Set(listed).size).toBe(listed.length);
  });
});
