/**
 * Follows docs/tutorial.md: runs its commands, and saves its files.
 *
 * @module
 */
import { readFileSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { Program } from "./program.ts";
import type { Runtime } from "./runtimes.ts";
import { ROOT } from "./source_files.ts";

/** Where berth comes from, by the section of the page. */
const SECTIONS = {
  checkout: "From a checkout",
  tarball: "From the tarball",
  registry: "From JSR or npm, once they are published",
} as const;

/** Who follows it. */
export interface Reader {
  readonly runtime: Runtime["name"];
  readonly source: keyof typeof SECTIONS;
  /** A folder for the project. */
  readonly folder: string;
  /** Replaces `/path/to/` before a tarball. */
  readonly tarballs?: string;
  /** The prefix of a command, such as its environment. */
  readonly prefix: readonly string[];
}

const LIMIT_MS = 180_000;
const page = readFileSync(join(ROOT, "docs/tutorial.md"), "utf8");

/** Resolves when everything that the page says has happened; rejects with what was said instead. */
export async function followTutorial(reader: Reader): Promise<void> {
  const project = join(reader.folder, "quotes");
  const start = scriptOf(reader).replaceAll("../quotes", project)
    .replaceAll("/path/to", reader.tarballs ?? "/path/to");
  const task = reader.runtime === "Deno" ? "deno task" : "bun run";
  const at = reader.source === "checkout" ? ROOT : reader.folder;
  expectMatch(await run(reader, at, start), /\b3 pass/);

  const write = (name: string, text: string) => writeFileSync(join(project, name), text);
  write("plugin.ts", block("export default definePlugin"));
  write("plugin_test.ts", block("node:test"));
  expectMatch(await run(reader, project, `${task} test`), /\b1 pass/);
  write("plugin_test.ts", block("node:test").replace("60_000", "6"));
  // The types are those of the run before, and take most of its time.
  const again = reader.runtime === "Deno" ? "deno test --no-check" : "bun test";
  expectMatch(await run(reader, project, `! ${again}`), /\b1 fail/);

  // Another port than that of the page, which may be in use.
  const config = block('"publish"').replace('"9000=10', '"127.0.0.1:0=10');
  write("berth.json", config);
  await run(reader, project, `${task} berth check berth.json`);
  const service = new Program(
    ["setsid", ...reader.prefix, "sh", "-c", `exec ${task} dev`],
    project,
  );
  try {
    const [, host = "", port] = await service.printed(/connect to ([\d.]+):(\d+)/);
    const ask = () => converse(host, Number(port), "a\nb\nquit\n");
    expectMatch(await ask(), /^Ahoy\.\nAvast\.\n$/);
    write("berth.json", config.replace("Avast.", "Belay."));
    await service.printed(/ reloaded reason/, "log");
    expectMatch(await ask(), /^Ahoy\.\nBelay\.\n$/);
    write("berth.json", config.replace('"quotes"', '"qoutes"'));
    await service.printed(/berth\.json:\d+:\d+.*qoutes.*did you mean quotes/, "log");
    expectMatch(await ask(), /^Ahoy\.\nBelay\.\n$/);
  } finally {
    process.kill(-service.pid, "SIGTERM");
    await service.finish(30_000);
  }
}

/** The commands of a section: those for Deno come first. */
function scriptOf({ source, runtime }: Reader): string {
  const [, after = ""] = page.split(`### ${SECTIONS[source]}\n`);
  const [section = ""] = after.split(/^##/m);
  const scripts = [...section.matchAll(/^```sh\n([^]*?)^```$/gm)].map(([, script]) => script!);
  if (scripts.length !== 2) throw new Error(`${scripts.length} scripts in: ${SECTIONS[source]}`);
  return scripts[runtime === "Deno" ? 0 : 1]!;
}

/** The code block that contains `text`. */
function block(text: string): string {
  const fence = /^```(?:ts|json)[^\n]*\n([^]*?)^```$/gm;
  const blocks = [...page.matchAll(fence)].map(([, code]) => code!);
  const [found, ...others] = blocks.filter((code) => code.includes(text));
  if (found === undefined || others.length > 0) throw new Error(`not one block with ${text}`);
  return found;
}

/** What a script prints; it has to succeed. */
async function run({ prefix }: Reader, folder: string, script: string): Promise<string> {
  const command = [...prefix, "sh", "-ec", script];
  const { exit, out, log } = await new Program(command, folder).finish(LIMIT_MS);
  if (exit !== 0) throw new Error(`in ${folder}: exit code ${exit}\n${script}\n${out}${log}`);
  return out + log;
}

/** As `printf TEXT | nc HOST PORT`. */
async function converse(host: string, port: number, text: string): Promise<string> {
  const socket = connect({ host, port });
  socket.end(text);
  let answer = "";
  for await (const chunk of socket) answer += chunk;
  return answer;
}

function expectMatch(actual: string, expected: RegExp): void {
  if (!expected.test(actual)) {
    throw new Error(`the tutorial: expected ${expected}, got:\n${actual}`);
  }
}

/**
 * A folder for the PATH in which the runtime is the test's own, and installs without a registry: the
 * tarball as npm unpacks it, and the packages of the checkout beside it.
 */
export function writeInstallers(folder: string, runtime: Runtime, tarball: string): void {
  const install = join(folder, "install");
  const program = (path: string, text: string) =>
    writeFileSync(path, `#!/bin/sh\nset -e\n${text}\n`, { mode: 0o755 });
  program(
    install,
    `[ ! -e main.ts ] || exit 0 # a checkout has installed its packages
[ -e package.json ] || echo '{ "dependencies": { "@berth/berth": "file:${tarball}" } }' > package.json
mkdir -p node_modules/.bin node_modules/@types node_modules/@berth/berth
for from in '${ROOT}/node_modules' '${ROOT}/node_modules/.deno/node_modules'; do
  for package in "$from"/* "$from"/@types/*; do
    to="node_modules/\${package#$from/}"
    [ -e "$to" ] || [ ! -e "$package" ] || ln -s "$package" "$to"
  done
done
tar xzf '${tarball}' -C node_modules/@berth/berth --strip-components=1
ln -sf ../@berth/berth/bin/berth.js node_modules/.bin/berth`,
  );
  program(join(folder, "npm"), `exec ${install}`);
  program(
    join(folder, runtime.name.toLowerCase()),
    `case "$1 $2" in
"run pack") exit 0;;
"add "* | "install "*) exec ${install};;
esac
exec '${runtime.executable}' "$@"`,
  );
}
