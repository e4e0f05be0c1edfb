import { execFile, spawn } from "node:child_process";
import { mkdirSync, readFileSync, symlinkSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { describe, expect, test } from "bun:test";
import { ENVIRONMENT } from "./support/program.ts";
import { ROOT } from "./support/source_files.ts";
import { TemporaryFolder } from "./support/temporary_folder.ts";

const page = readFileSync(join(ROOT, "docs/tutorial.md"), "utf8");
const isDeno = process.versions["bun"] === undefined;
const MAIN = [...isDeno ? ["run", "-A"] : [], join(ROOT, "main.ts")];
/** Types are checked with the other examples of the pages. */
const TEST = isDeno ? ["test", "--no-check"] : ["test"];

/** The code block that contains `text`. */
function block(text: string): string {
  const fence = /^```(?:ts|json)[^\n]*\n([^]*?)^```$/gm;
  const blocks = [...page.matchAll(fence)].map(([, code]) => code!);
  const [found, ...others] = blocks.filter((code) => code.includes(text));
  if (found === undefined || others.length > 0) throw new Error(`not one block with ${text}`);
  return found;
}

function run(cwd: string, args: readonly string[]): Promise<string> {
  const settings = { cwd, env: ENVIRONMENT, timeout: 60_000 };
  return promisify(execFile)(process.execPath, args, settings)
    .then(({ stdout, stderr }) => `${stdout}${stderr}`);
}

/** A project in its own folder, as step 2 makes it. */
async function project(folder: TemporaryFolder): Promise<string> {
  const at = folder.file("quotes");
  await run(folder.path, [...MAIN, "init", "plugin", at]);
  // `bun install` would ask the registry.
  if (!isDeno) {
    const modules = join(at, "node_modules");
    mkdirSync(join(modules, "@berth"), { recursive: true });
    symlinkSync(ROOT, join(modules, "@berth/berth"));
    symlinkSync(join(ROOT, "node_modules/zod"), join(modules, "zod"));
  }
  return at;
}

describe("docs/tutorial.md", () => {
  // What a newcomer writes and runs, in the order of the page.
  test("leads to a plugin with a passing test", async () => {
    using folder = new TemporaryFolder();
    const at = await project(folder);
    expect(await run(at, TEST)).toMatch(/3 pass/);
    writeFileSync(join(at, "plugin.ts"), block("export default definePlugin"));
    writeFileSync(join(at, "plugin_test.ts"), block("node:test"));
    expect(await run(at, TEST)).toMatch(/1 pass/);

    // The page says that the test fails with a short pause.
    writeFileSync(join(at, "plugin_test.ts"), block("node:test").replace("60_000", "6"));
    expect(await run(at, TEST).then(() => "", String)).toMatch(/failed/i);
  }, 120_000);

  // The service is asked by a socket of the host, as nc would.
  test("leads to a service that answers", async () => {
    using folder = new TemporaryFolder();
    const at = await project(folder);
    writeFileSync(join(at, "plugin.ts"), block("export default definePlugin"));
    writeFileSync(join(at, "berth.json"), block('"publish"').replace("9000=10", "0=10"));
    await run(at, [...MAIN, "check", "berth.json"]);

    const service = spawn(process.execPath, [...MAIN, "dev"], { cwd: at, env: ENVIRONMENT });
    try {
      const { port, host } = await new Promise<{ host: string; port: number }>(
        (resolve, reject) => {
          let output = "";
          const onOutput = (chunk: unknown) => {
            output += chunk;
            const [, host = "", port] = /connect to ([\d.]+):(\d+)/.exec(output) ?? [];
            if (port !== undefined) resolve({ host, port: Number(port) });
          };
          service.stdout.on("data", onOutput);
          service.stderr.on("data", onOutput);
          service.on("exit", () => reject(new Error(output)));
        },
      );
      const socket = connect({ host, port });
      socket.end("a\nb\nquit\n");
      let answer = "";
      for await (const chunk of socket) answer += chunk;
      expect(answer).toBe("Ahoy.\nAvast.\n");
    } finally {
      service.kill();
    }
  }, 120_000);
});
