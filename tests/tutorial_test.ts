import { execFile, spawn } from "node:child_process";
import { mkdirSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { promisify } from "node:util";
import { describe, expect, test } from "bun:test";
import { ENVIRONMENT } from "./support/program.ts";
import { ROOT } from "./support/source_files.ts";

const page = readFileSync(join(ROOT, "docs/tutorial.md"), "utf8");
const isDeno = process.versions["bun"] === undefined;
/** Inside the tree, as the page says; of each runtime, because both may run at once. */
const FOLDER = join(ROOT, "tests", ".tutorial", isDeno ? "deno" : "bun");

/** The code block that contains `text`. */
function block(text: string): string {
  const blocks = [...page.matchAll(/^```(?:ts|json)[^\n]*\n([^]*?)^```$/gm)].map(([, code]) =>
    code!
  );
  const [found, ...others] = blocks.filter((code) => code.includes(text));
  if (found === undefined || others.length > 0) throw new Error(`not one block with ${text}`);
  return found;
}

/** Writes what the page asks for; the folder is removed at the end. */
function project(): Disposable & { file(name: string): string } {
  mkdirSync(FOLDER, { recursive: true });
  writeFileSync(join(FOLDER, "quotes.ts"), block("export default definePlugin"));
  writeFileSync(join(FOLDER, "quotes_test.ts"), block("node:test"));
  writeFileSync(join(FOLDER, "berth.json"), block('"publish"').replace("9017=10", "0=10"));
  return {
    file: (name) => join(FOLDER, name),
    [Symbol.dispose]: () => rmSync(FOLDER, { recursive: true, force: true }),
  };
}

const run = (args: readonly string[]) =>
  promisify(execFile)(process.execPath, args, { cwd: ROOT, env: ENVIRONMENT, timeout: 60_000 });

describe("docs/tutorial.md", () => {
  // What a newcomer writes and runs, in the order of the page.
  test("leads to a plugin with a passing test", async () => {
    using made = project();
    const command = isDeno ? ["test", "-A", "--no-check"] : ["test"];
    const { stdout, stderr } = await run([...command, made.file("quotes_test.ts")]);
    expect(`${stdout}${stderr}`).toMatch(/1 pass/);

    // The page says that the test fails with a short pause.
    writeFileSync(made.file("quotes_test.ts"), block("node:test").replace("60_000", "6"));
    const failing = await run([...command, made.file("quotes_test.ts")]).then(() => "", String);
    expect(failing).toMatch(/failed/i);
  }, 90_000);

  // The service is asked by a socket of the host, as nc would.
  test("leads to a service that answers", async () => {
    using made = project();
    const main = [...isDeno ? ["run", "-A", "--no-check"] : [], "main.ts"];
    await run([...main, "check", made.file("berth.json")]);

    const service = spawn(process.execPath, [...main, "--config", made.file("berth.json")], {
      cwd: ROOT,
      env: ENVIRONMENT,
    });
    try {
      const { port, host } = await new Promise<{ host: string; port: number }>(
        (resolve, reject) => {
          let output = "";
          service.stdout.on("data", (chunk) => {
            output += chunk;
            const [, host = "", port] = /connect to ([\d.]+):(\d+)/.exec(output) ?? [];
            if (port !== undefined) resolve({ host, port: Number(port) });
          });
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
  }, 90_000);
});
