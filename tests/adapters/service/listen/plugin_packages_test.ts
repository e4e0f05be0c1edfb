import { describe, expect, test } from "bun:test";
import { spawn } from "node:child_process";
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
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
  // What is behind a path is looked at as well; what a program always has is not missing.
  test("finds what a plugin imports and cannot have", () => {
    const own = join(ROOT, "tests/adapters/service/fixtures/app.ts");
    expect(missingPackage(own, ROOT.replace(/\/$/, ""))).toBeUndefined();
    const path = write("one.ts", 'import "node:fs"; import "./two.js"; export default 1;');
    write("two.ts", 'export { x } from "@nobody/berth-test/part";');
    const missing = missingPackage(path, ROOT);
    expect(missing?.name).toBe(isBun ? "@nobody/berth-test" : undefined);
    write("tsconfig.json", '{"compilerOptions":{"paths":{"@nobody/*": ["./x/*"]}}}');
    expect(missingPackage(path, ROOT)).toBeUndefined();
  });
});

describe("a plugin outside of the project", () => {
  // Whoever owns the name in a registry would run here.
  test.each(["@berth/berth", "hono", "zod", "nobody-berth-test"])(
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
        env: { ...process.env, npm_config_registry: url, BUN_CONFIG_REGISTRY: url },
      });
      let log = "";
      child.stderr.on("data", (chunk) => log += chunk);
      // Deno finds the project's own name.
      child.stdout.on("data", () => child.kill("SIGTERM"));
      await new Promise((done) => child.on("close", done));
      registry.close();
      expect(asked).toEqual([]);
      if (isBun) expect(log).toContain(`imports ${name}, which is not installed for it`);
      if (isBun) expect(log.trimEnd().split("\n").length).toBe(1);
    },
    60_000,
  );
});

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
