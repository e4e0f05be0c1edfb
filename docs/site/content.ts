/**
 * The pages of the website, from the Markdown of the repository: paths and links are rewritten, the
 * navigation follows the index.
 *
 * @module
 */
import { posix } from "node:path";

/** The repository, as far as the site needs it. Paths are relative to its root. */
export interface Repository {
  /** All Markdown pages of the documentation. */
  readonly pages: readonly string[];
  /** The text of a file; `undefined` if there is none, or if it is a folder. */
  read(path: string): string | undefined;
}

/** What the generator is given. */
export interface SiteContent {
  /** Pages by their path in the site. */
  readonly pages: ReadonlyMap<string, string>;
  /** Files of the repository that pages show or link to, by their path in the site. */
  readonly files: ReadonlyMap<string, string>;
  /** The navigation at the side of each page. */
  readonly sidebar: readonly SidebarGroup[];
}

/** A group of the navigation. */
export interface SidebarGroup {
  readonly text: string;
  readonly collapsed?: boolean;
  readonly items: readonly { readonly text: string; readonly link: string }[];
}

/** Pages whose place in the site is not their path below `docs/`. */
const MOVED: Readonly<Record<string, string>> = {
  "README.md": "readme.md",
  "CHANGELOG.md": "changelog.md",
  "CONTRIBUTING.md": "contributing.md",
  "SECURITY.md": "security.md",
  "docs/README.md": "contents.md",
  "docs/site/home.md": "index.md",
  "examples/README.md": "examples.md",
};

/**
 * Pages that programs of the repository write, by the program: their path in the site. A link to the
 * program leads there.
 */
export const MADE_PAGES: Readonly<Record<string, string>> = {
  "examples/browser/network_page.ts": "network.html",
};

/** The folder of the site with copies of source files. */
const SOURCES = "source";

/** The path in the site of a page of the repository. */
export function sitePath(page: string): string {
  return MOVED[page] ?? page.replace(/^docs\//, "");
}

/** Everything that the site is made of. */
export function siteContent({ pages, read }: Repository): SiteContent {
  const places = new Map(pages.map((page) => [page, sitePath(page)]));
  const files = new Map<string, string>();
  const written = new Map([...places].map(([page, place]) => {
    const text = withoutHtml(read(page) ?? "");
    const rewritten = rewriteLinks(
      text,
      (link) => linkInSite(link, page, place, places, read, files),
    );
    return [place, rewritten];
  }));
  return { pages: written, files, sidebar: sidebarOf(written) };
}

/** The link of a page at `place`; `undefined`: only its text stays. */
function linkInSite(
  link: string,
  page: string,
  place: string,
  places: ReadonlyMap<string, string>,
  read: Repository["read"],
  files: Map<string, string>,
): string | undefined {
  if (/^(?:[a-z]+:|#)/.test(link)) return link;
  const [path = "", section] = link.split("#");
  const target = posix.normalize(posix.join(posix.dirname(page), path));
  const hash = section === undefined ? "" : `#${section}`;
  const from = posix.dirname(place);
  const relative = (to: string) => {
    const way = posix.relative(from, to);
    return way.startsWith(".") ? way : `./${way}`;
  };
  const made = MADE_PAGES[target];
  if (made !== undefined) return relative(made);
  const other = places.get(target);
  if (other !== undefined) return `${relative(other)}${hash}`;
  if (/\.(?:svg|png)$/.test(target)) {
    const copy = target.replace(/^docs\//, "");
    files.set(copy, target);
    return relative(copy);
  }
  if (read(target) === undefined) return undefined;
  // Servers send .ts as video, so the copy ends in .txt.
  const copy = `${SOURCES}/${target}.txt`;
  files.set(`public/${copy}`, target);
  return `/${copy}`;
}

/** Replaces the targets of links and images outside of code. */
function rewriteLinks(text: string, rewrite: (link: string) => string | undefined): string {
  const code = /^```[^]*?^```$|`[^`\n]*`/gm;
  let result = "";
  let at = 0;
  // A link may have code in its text, so links are found first, and those inside of fences skipped.
  const fences = [...text.matchAll(code)].filter(([found]) => found.startsWith("```"));
  for (const match of text.matchAll(/(!?)\[((?:[^\][]|\[[^\]]*\])*)\]\(([^)\s]+)\)/g)) {
    const { index } = match;
    const [whole, image = "", label = "", link = ""] = match;
    if (fences.some((fence) => index > fence.index && index < fence.index + fence[0].length)) {
      continue;
    }
    const target = rewrite(link);
    // A picture may be the text of a link.
    const shown = image === "" ? rewriteLinks(label, rewrite) : label;
    result += text.slice(at, index) +
      (target === undefined ? shown : `${image}[${shown}](${target})${attributes(target)}`);
    at = index + whole.length;
  }
  return result + text.slice(at);
}

/** The generator's router loads its own pages only; with a target it leaves a link to the browser. */
function attributes(target: string): string {
  const isMade = Object.values(MADE_PAGES).includes(posix.basename(target));
  return isMade ? '{target="_self"}' : "";
}

/** Without comments, and with pictures for two colour schemes as Markdown, of which the light one stays. */
function withoutHtml(text: string): string {
  return text.replace(/^<!--[^]*?-->\n\n?/gm, "").replace(
    /^<picture>[^]*?<img alt="([^"]*)" src="([^"]*)">\n<\/picture>/gm,
    "![$1]($2)",
  ).replace(/^<a href="([^"]*)">\n(.*)\n<\/a>/gm, "[$2]($1)");
}

/** The groups of the index, and the reference by kind. */
function sidebarOf(pages: ReadonlyMap<string, string>): SidebarGroup[] {
  const groups = sectionsOf(pages.get("contents.md") ?? "").filter(({ items }) => items.length > 0);
  const reference = sectionsOf(pages.get("catalogue.md") ?? "")
    .filter(({ items }) => items.length > 0)
    .map((group) => ({ ...group, collapsed: true }));
  const at = groups.findIndex(({ text }) => text === "Reference") + 1;
  return [...groups.slice(0, at), ...reference, ...groups.slice(at)];
}

function sectionsOf(page: string): SidebarGroup[] {
  return page.split(/^## /m).slice(1).map((section) => {
    const [title = "", ...lines] = section.split("\n");
    const items = lines.flatMap((line) => {
      const [, text, link] = /^\| \[`?([^\]`]*)`?\]\(\.\/([^)]+)\.md\)/.exec(line) ?? [];
      return text === undefined ? [] : [{ text, link: `/${link}` }];
    });
    return { text: title.trim(), items };
  });
}
