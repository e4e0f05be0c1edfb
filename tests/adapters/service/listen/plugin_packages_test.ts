import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, rmSync, writeFileSync } from "node:fs";
import { connect } from "node:net";
import { tmpdir } from "node:os";
import { join } from "node:path";
import process from "node:process";
import { missingPackage } from "../../../../adapters/service/listen/plugin_packages.ts";
import { Namespace } from "../../../support/namespace.ts";
import { Program, runtimeCommand } from "../../../support/program.ts";
import { HOST_PACKAGES, PLUGIN_IMPORTS, RequestLog } from "../../../support/request_log.ts";
import { testRequiring } from "../../../support/requirements.ts";
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
  test.each(PLUGIN_IMPORTS)("never makes the runtime ask a registry for %s", async (name) => {
    const asked = await RequestLog.open();
    const flags = ["--listen", `7=${plugin(name)}`, "--publish", "127.0.0.1:0=10.7.0.2:7"];
    const service = new Program([...asked.environment, ...berth(...flags)], folder);
    const isServing = await service.printed(/Ctrl\+C/).then(() => true, () => false);
    service.signal("SIGTERM");
    const { log } = await service.finish(30_000);
    expect(await asked.requests()).toEqual([]);
    expect(isServing).toBe(HOST_PACKAGES.includes(name));
    expectRefusal(name, log);
  }, 60_000);

  // The service runs; its configuration now names the plugin.
  test.each(PLUGIN_IMPORTS)("nor after a reload, for %s", async (name) => {
    const asked = await RequestLog.open();
    const config = (listen: string) =>
      write(
        "berth.json",
        JSON.stringify({ listen: { 7: listen }, publish: ["127.0.0.1:0=10.7.0.2:7"] }),
      );
    const flags = ["--config", config("echo")];
    const service = new Program([...asked.environment, ...berth(...flags)], folder);
    await service.printed(/Ctrl\+C/);
    config(plugin(name));
    service.signal("SIGHUP");
    await service.printed(/ reloaded reason|cannot reload/, "log");
    service.signal("SIGTERM");
    const { log } = await service.finish(30_000);
    expect(await asked.requests()).toEqual([]);
    if (HOST_PACKAGES.includes(name)) expect(log).toContain("reloaded reason");
    else expect(log).toContain("cannot reload");
  }, 60_000);

  // No check of the source finds such a name; the import fails as if nobody had published it.
  test.each(["when it is loaded", "while it serves"])(
    "never makes the runtime ask for a computed name %s",
    async (when) => {
      const asked = await RequestLog.open();
      const scheme = isBun ? "" : "npm:";
      const code = `
        const names = [${
        JSON.stringify(scheme)
      } + ["nobody", "berth", "test"].join("-"), "ho" + "no"];
        const load = () => Promise.all(names.map((name) =>
          import(name).then((it) => typeof it.Hono, (error) => error.message)));
        const early = ${when === "when it is loaded" ? "await load()" : "undefined"};
        export default {
          name: "computed",
          async handle({ socket }) {
            await socket.write(new TextEncoder().encode(JSON.stringify(early ?? await load())));
          },
        };`;
      const flags = [
        "--listen",
        `7=${write("computed.ts", code)}`,
        "--publish",
        "127.0.0.1:0=10.7.0.2:7",
      ];
      const service = new Program([...asked.environment, ...berth(...flags)], folder);
      const [, port] = await service.printed(/connect to 127\.0\.0\.1:(\d+)/);
      const [missing, hono] = JSON.parse(await answerOf(Number(port)));
      service.signal("SIGTERM");
      await service.finish(30_000);
      expect(await asked.requests()).toEqual([]);
      expect(missing).toContain("nobody-berth-test");
      expect(hono).toBe("function");
    },
    60_000,
  );

  // Each worker loads the plugin for itself.
  testRequiring(["tun", "program:nsenter"], "nor in workers", async () => {
    await using namespace = await Namespace.open();
    for (const name of ["hono", "nobody-berth-test", "npm:nobody-berth-test@1"]) {
      const asked = await RequestLog.open(namespace.enter);
      const device = [
        "--workers",
        "2",
        "--all-processors",
        "on",
        "--tun",
        "berth0",
        "--address",
        "10.7.0.2/24",
      ];
      const service = namespace.start(
        ...asked.environment,
        ...berth(...device, "--listen", `7=${plugin(name)}`),
      );
      await service.printed(/Ctrl\+C/).catch(() => {});
      service.signal("SIGTERM");
      const { out, log } = await service.finish(30_000);
      expect(await asked.requests()).toEqual([]);
      if (HOST_PACKAGES.includes(name)) expect(out).toContain("with 2 workers");
      else expectRefusal(name, log);
    }
  }, 120_000);

  // Without the service, the same runtime asks the registry, and the log has the request.
  test("would be asked for by the runtime alone", async () => {
    const name = isBun ? "nobody-berth-test" : "npm:nobody-berth-test@1";
    const asked = await RequestLog.open();
    const command = [...asked.environment, ...runtimeCommand(plugin(name))];
    expect((await new Program(command, folder).finish(30_000)).exit).not.toBe(0);
    expect((await asked.requests()).join()).toMatch(/^(GET .*nobody-berth-test|CONNECT )/);
  }, 60_000);
});

/** What a published port sends. */
function answerOf(port: number): Promise<string> {
  return new Promise((resolve, reject) => {
    let text = "";
    connect(port, "127.0.0.1").setEncoding("utf8")
      .on("data", (more) => text += more).on("end", () => resolve(text)).on("error", reject);
  });
}

/** One line says why; Deno lists packages that it downloads. */
function expectRefusal(name: string, log: string): void {
  if (HOST_PACKAGES.includes(name)) return expect(log).not.toContain("berth: ");
  const isUrl = name.includes(":");
  const lines = log.trimEnd().split("\n");
  expect(lines.length).toBe(1);
  if (!isUrl) expect(log).toContain(`${name}, which is not installed for it`);
  if (!isBun && isUrl) expect(log).toContain(`imports ${name}, which Deno would download`);
}

/** A module that imports a package. */
function plugin(name: string): string {
  return write("plugin.ts", `import * as x from "${name}"; export default () => x;`);
}

function berth(...flags: readonly string[]): string[] {
  return runtimeCommand(join(ROOT, "main.ts"), ...flags);
}

function write(name: string, text: string): string {
  const path = join(folder, name);
  writeFileSync(path, text);
  return path;
}
