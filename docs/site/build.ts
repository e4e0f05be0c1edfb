/**
 * Builds the website of the documentation into `docs/site/dist`: `deno task site`, or `bun run site`.
 * Dead links and missing pages
 * fail the build.
 *
 * @module
 */
import { spawnSync } from "node:child_process";
import {
  copyFileSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  writeFileSync,
} from "node:fs";
import { dirname, join } from "node:path";
import process from "node:process";
import { networkPage } from "../../examples/browser/network_page.ts";
import { completeReference } from "./api_reference.ts";
import { MADE_PAGES, type Repository, siteContent } from "./content.ts";

const SITE = import.meta.dirname!;
const ROOT = join(SITE, "..", "..");
const CONTENT = join(SITE, ".content");
const OUTPUT = join(SITE, "dist");
/** What the reference of the API documents; `exports/browser.ts` repeats the others. */
const ENTRY_POINTS = [
  "mod.ts",
  ...readdirSync(join(ROOT, "exports")).filter((name) => name !== "browser.ts")
    .map((name) => `exports/${name}`),
];

function run(program: string, args: readonly string[], cwd = ROOT): void {
  const { status, error } = spawnSync(program, args, { cwd, stdio: "inherit" });
  if (status === 0) return;
  console.error(
    `site: ${program} ${args.join(" ")} has failed${error ? `: ${error.message}` : ""}`,
  );
  process.exit(1);
}

/** Deno, whichever runtime this is. */
function deno(...args: string[]): void {
  if (process.versions["bun"] === undefined) run(process.execPath, args);
  else run("npx", ["-y", "deno@2", ...args]);
}

function markdownBelow(folder: string): string[] {
  return readdirSync(join(ROOT, folder), { withFileTypes: true }).flatMap((entry) => {
    const path = folder === "." ? entry.name : `${folder}/${entry.name}`;
    if (entry.isDirectory()) {
      return path === "docs/site" ? [`${path}/home.md`] : markdownBelow(path);
    }
    return entry.name.endsWith(".md") ? [path] : [];
  });
}

const repository: Repository = {
  pages: [
    "README.md",
    "CHANGELOG.md",
    "CONTRIBUTING.md",
    "SECURITY.md",
    "examples/README.md",
    ...markdownBelow("docs"),
  ],
  read(path) {
    const file = join(ROOT, path);
    return existsSync(file) && statSync(file).isFile() ? readFileSync(file, "utf8") : undefined;
  },
};

function write(path: string, text: string): void {
  mkdirSync(dirname(join(CONTENT, path)), { recursive: true });
  writeFileSync(join(CONTENT, path), text);
}

rmSync(CONTENT, { recursive: true, force: true });
rmSync(OUTPUT, { recursive: true, force: true });
const { pages, files, sidebar } = siteContent(repository);
for (const [path, text] of pages) write(path, text);
for (const [path, source] of files) {
  mkdirSync(dirname(join(CONTENT, path)), { recursive: true });
  copyFileSync(join(ROOT, source), join(CONTENT, path));
}
write(`public/${MADE_PAGES["examples/browser/network_page.ts"]}`, await networkPage());
write("navigation.json", JSON.stringify(sidebar));
deno(
  "doc",
  "--quiet",
  "--html",
  "--name=berth",
  `--output=${join(CONTENT, "public/api")}`,
  ...ENTRY_POINTS,
);

completeReference(join(CONTENT, "public/api"));

if (!existsSync(join(SITE, "node_modules"))) run("npm", ["ci", "--no-audit", "--no-fund"], SITE);
run("npx", ["--no", "vitepress", "build"], SITE);
for (const page of Object.values(MADE_PAGES)) {
  if (existsSync(join(OUTPUT, page))) continue;
  console.error(`site: ${page} is not in ${OUTPUT}`);
  process.exit(1);
}
console.log(`The site is in ${OUTPUT}: open it with any web server.`);
