/**
 * Makes the npm packages: `dist/npm/`, `dist/create-berth/` and their tarballs in `dist/`.
 *
 *     deno task pack
 *
 * `tsc` compiles each module to JavaScript with declarations and a source map; this program adds the
 * manifest and the documents. `create-berth` is a program that runs `berth init`.
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import {
  chmodSync,
  copyFileSync,
  cpSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { basename, dirname, join } from "node:path";
import { fileURLToPath } from "node:url";
import { createManifest, npmManifest } from "./manifest.ts";

const ROOT = fileURLToPath(new URL("../..", import.meta.url));
const OUT = join(ROOT, "dist", "npm");
const CREATE_OUT = join(ROOT, "dist", "create-berth");
/** The folder of the pages, whose sources the service serves as text. */
const PAGES = "adapters/pages";
const DOCUMENTS = [
  "README.md",
  "LICENSE",
  "CHANGELOG.md",
  "SECURITY.md",
  "berth.schema.json",
  "tcp-events.schema.json",
];

rmSync(OUT, { recursive: true, force: true });
execFileSync(join(ROOT, "node_modules/.bin/tsc"), ["-p", join(ROOT, "release/npm")], {
  stdio: "inherit",
});
for (const entry of readdirSync(OUT, { recursive: true, encoding: "utf8" })) {
  const path = join(OUT, entry);
  if (path.endsWith(".d.ts")) rewrite(path, nameCompiledModules);
  if (path.endsWith(".js.map")) rewrite(path, (text) => nameOwnSource(text, basename(path)));
}
cpSync(join(ROOT, PAGES), join(OUT, PAGES), {
  recursive: true,
  filter: (path) =>
    path === join(ROOT, PAGES) || dirname(path) !== join(ROOT, PAGES) || !/\./.test(basename(path)),
});
rewrite(join(OUT, PAGES, "assets.js"), nameSources);
for (const document of DOCUMENTS) copyFileSync(join(ROOT, document), join(OUT, document));
mkdirSync(join(OUT, "bin"));
copyFileSync(join(ROOT, "release/npm/berth.js"), join(OUT, "bin/berth.js"));
chmodSync(join(OUT, "bin/berth.js"), 0o755);

const source = (name: string) => JSON.parse(readFileSync(join(ROOT, name), "utf8"));
const manifests = [source("deno.json"), source("package.json")] as const;
writeFileSync(join(OUT, "package.json"), toJson(npmManifest(...manifests)));
// The program reads these keys of `deno.json`; users do not need the tasks and imports of the checkout.
const { name, version, exports } = source("deno.json");
writeFileSync(join(OUT, "deno.json"), toJson({ name, version, exports }));
pack(OUT);

rmSync(CREATE_OUT, { recursive: true, force: true });
mkdirSync(CREATE_OUT);
copyFileSync(join(ROOT, "LICENSE"), join(CREATE_OUT, "LICENSE"));
copyFileSync(join(ROOT, "release/npm/create.md"), join(CREATE_OUT, "README.md"));
copyFileSync(join(ROOT, "release/npm/create.js"), join(CREATE_OUT, "create.js"));
chmodSync(join(CREATE_OUT, "create.js"), 0o755);
writeFileSync(join(CREATE_OUT, "package.json"), toJson(createManifest(...manifests)));
pack(CREATE_OUT);

/** Makes the tarball of a package. */
function pack(folder: string): void {
  const options = ["--json", "--ignore-scripts", "--pack-destination", ".."];
  const output = execFileSync("npm", ["pack", ...options], { cwd: folder, encoding: "utf8" });
  const [packed] = JSON.parse(output);
  console.log(`dist/${packed.filename}: ${packed.size} bytes, ${packed.entryCount} files`);
}

function rewrite(path: string, change: (text: string) => string): void {
  writeFileSync(path, change(readFileSync(path, "utf8")));
}

/** Rewrites the extensions of imports in declarations, which tsc does only in JavaScript. */
function nameCompiledModules(text: string): string {
  return text.replace(/^((?:im|ex)port\b[^"]*"\.[^"]*)\.ts";$|(\bimport\("\.[^"]*)\.ts"\)/gm, (
    _all,
    statement: string | undefined,
    type: string | undefined,
  ) => statement === undefined ? `${type}.js")` : `${statement}.js";`);
}

/** Makes imports of texts name the sources in {@link PAGES}. */
function nameSources(text: string): string {
  return text.replace(
    /\bimport\("(\.[^"]*)\.js", \{ with: \{ type: "text"/g,
    'import("$1.ts", { with: { type: "text"',
  );
}

/**
 * Replaces the path of the source in a source map, which leads out of the package; the map itself contains the
 * source.
 */
function nameOwnSource(text: string, name: string): string {
  return JSON.stringify({ ...JSON.parse(text), sources: [name.replace(/\.js\.map$/, ".ts")] });
}

function toJson(value: unknown): string {
  return `${JSON.stringify(value, null, 2)}\n`;
}
