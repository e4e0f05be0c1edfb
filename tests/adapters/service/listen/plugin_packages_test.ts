import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { missingPackage } from "../../../../adapters/service/listen/plugin_packages.ts";
import { runtimeCommand } from "../../../support/program.ts";
import { ROOT } from "../../../support/source_files.ts";

const folder = mkdtempSync(join(tmpdir(), "berth-packages-"));
const isBun = process.versions["bun"] !== undefined;
const clean = () => rmSync(folder, { recursive: true, force: true });
process.on("exit", clean);

describe("missingPackage", () => {
  // Relative imports are followed; modules of the runtime are not missing.
  test("finds packages that a plugin imports and that are not installed", () => {
    const own = join(ROOT, "tests/adapters/service/fixtures/app.ts");
    expect(missingPackage(own, ROOT.replace(/\/$/, ""))).toBeUndefined();
    const path = write("one.ts", 'import "node:fs"; import "./two.js"; export default 1;');
    write("two.ts", 'export { x } from "@nobody/berth-test/part";');
    const missing = missingPackage(path, ROOT);
    // Deno does not look for a bare name in a registry.
    expect(missing?.name).toBe(isBun ? "@nobody/berth-test" : undefined);
    write("tsconfig.json", '{"compilerOptions":{"paths":{"@nobody/*": ["./x/*"]}}}');
    expect(missingPackage(path, ROOT)).toBeUndefined();
  });

  // On Deno a version in the lock file is available; another version would have to be downloaded.
  test("finds packages that are not in the lock file", () => {
    if (isBun) return;
    const [, locked] = /"(npm:hono@[^"]+)"/.exec(readFileSync(join(ROOT, "deno.lock"), "utf8"))!;
    for (const name of [locked!, `${locked}/cors`]) {
      expect(missingPackage(write("one.ts", `import "${name}";`), ROOT)).toBeUndefined();
    }
    for (const name of ["npm:hono@4", "npm:hono", "npm:@no/body@1/part", "jsr:@no/body@1"]) {
      expect(missingPackage(write("one.ts", `import "${name}";`), ROOT)?.name).toBe(name);
    }
  });
});

describe("a plugin outside the project", () => {
  // Otherwise code of the name's owner in a registry would run here.
  test.each([
    ...["@berth/berth", "hono", "zod/v4", "nobody-berth-test"],
    ...["npm:nobody-berth-test@1", "npm:hono", "jsr:@nobody/berth-test@1"],
  ])(
    "never makes the runtime ask a registry for %s",
    async (name) => {
      const asked: string[] = [];
      const registry = createServer((request, response) => {
        asked.push(request.url!);
        response.writeHead(404).end();
      });
      await new Promise<void>((done) => registry.listen(0, "127.0.0.1", done));
      const url = `http://127.0.0.1:${(registry.address() as AddressInfo).port}/`;
      const path = write("plugin.ts", `import * as x from "${name}"; export default () => x;`);
      const [command, ...args] = runtimeCommand(join(ROOT, "main.ts"), "--listen", `7=${path}`);
      const child = spawn(command!, [...args, "--publish", "127.0.0.1:0=10.7.0.2:7"], {
        cwd: folder,
        env: {
          ...process.env,
          npm_config_registry: url,
          NPM_CONFIG_REGISTRY: url,
          BUN_CONFIG_REGISTRY: url,
          JSR_URL: url,
        },
      });
      let log = "";
      child.stderr.on("data", (chunk) => log += chunk);
      child.stdout.on("data", () => child.kill("SIGTERM")); // it serves
      await new Promise((done) => child.on("close", done));
      registry.close();
      // For its own packages Deno asks any registry that it has not seen.
      expect(asked.filter((url) => isBun || /nobody|berth/.test(url))).toEqual([]);
      const isFromHost = /^(@berth|hono|zod)/.test(name);
      const isUrl = name.includes(":");
      const lines = log.trimEnd().split("\n").filter((line) => !line.includes("Download"));
      if (isFromHost) expect(log).not.toContain("berth: ");
      else expect(lines.length).toBe(1);
      if (!isUrl && !isFromHost) expect(log).toContain(`${name}, which is not installed for it`);
      if (!isBun && isUrl) expect(log).toContain(`imports ${name}, which Deno would download`);
    },
    60_000,
  );
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
