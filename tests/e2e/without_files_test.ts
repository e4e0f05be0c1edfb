import { describe, expect, test } from "bun:test";
import { mkdirSync, mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import { type AddressInfo, connect } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { Namespace } from "../support/namespace.ts";
import { Program } from "../support/program.ts";
import { testRequiring } from "../support/requirements.ts";
import { ROOT } from "../support/source_files.ts";
import { TWO_WORKERS } from "./service.ts";

const isBun = process.versions["bun"] !== undefined;

/** The command that runs a copy of the service without its files, made in `folder`. */
type Make = (folder: string) => Promise<{ command: string[]; clean(): void }>;

/** Deno runs main.ts from a server on this host, which has the packages too. */
const remoteModule: Make = async (folder) => {
  const packages = realpathSync(join(ROOT, "node_modules"));
  const server = createServer(({ url = "/" }, response) => {
    const type = { ts: "text/typescript", json: "application/json" }[/\w+$/.exec(url)![0]];
    response.setHeader("Content-Type", type ?? "text/javascript");
    const path = decodeURIComponent(url).replace(/^\/packages\//, `${packages}/`);
    response.end(readFileSync(path.startsWith(packages) ? path : join(ROOT, path)));
  });
  await new Promise<void>((done) => server.listen(0, "127.0.0.1", done));
  const origin = `http://127.0.0.1:${(server.address() as AddressInfo).port}`;
  const urlOf = (file: string) =>
    `${origin}/packages/${relative(packages, realpathSync(join(packages, file)))}`;
  const imports = {
    "@berth/berth": `${origin}/mod.ts`,
    "hono": urlOf("hono/dist/index.js"),
    "hono/html": urlOf("hono/dist/helper/html/index.js"),
    "hono/utils/mime": urlOf("hono/dist/utils/mime.js"),
    "hono/ws": urlOf("hono/dist/helper/websocket/index.js"),
    "zod": urlOf("zod/index.js"),
    "@dnsquery/dns-packet": urlOf("@dnsquery/dns-packet/index.mjs"),
    "@opentelemetry/api": urlOf("@opentelemetry/api/dist/index.mjs"),
    "@leichtgewicht/ip-codec": urlOf(".deno/node_modules/@leichtgewicht/ip-codec/index.mjs"),
    "utf8-codec": urlOf(".deno/node_modules/utf8-codec/index.mjs"),
  };
  const map = join(folder, "map.json");
  writeFileSync(map, JSON.stringify({ imports }));
  const run = [process.execPath, "run", "-A", "--quiet", "--no-config", "--import-map", map];
  return {
    command: ["env", `DENO_DIR=${join(folder, "cache")}`, ...run, `${origin}/main.ts`],
    clean: () => void server.close(),
  };
};

/** Bun compiles it into a single program, as `deno task binary` does. */
const compiledProgram: Make = async (folder) => {
  const program = join(folder, "berth");
  const build = [process.execPath, "build", ...BINARY_OPTIONS, "--outfile", program];
  expect((await new Program(build, ROOT).finish(60_000)).exit).toBe(0);
  return { command: [program], clean() {} };
};

/** After `bun build`, as in deno.json. */
const BINARY_OPTIONS = /bun@1 build (.*) --outfile/
  .exec(readFileSync(join(ROOT, "deno.json"), "utf8"))![1]!.split(" ");

/** A plugin in the folder of a user. */
const PLUGIN = `import { deriveSocket } from "@berth/berth";
import { echo } from "@berth/berth/plugins";
import { z } from "zod";
import { Hono } from "hono";
import own from "own";
if (!deriveSocket || !echo || !z.object || !Hono || own !== 1) throw new Error();
export default async ({ socket }) => await socket.write(new TextEncoder().encode("ahoy"));
`;

describe(isBun ? "a compiled program" : "a module from the net", () => {
  // The plugin is a file on disk, the program is not.
  test("serves, with plugins from any folder", async () => {
    await withProgram(async (command, folder) => {
      const publish = ["--listen", "9=./greeting.ts", "--publish", "127.0.0.1:0=10.7.0.2:9"];
      const serving = new Program([...command, ...publish], folder);
      const [, port] = await serving.printed(/connect to 127\.0\.0\.1:(\d+) for 10\.7\.0\.2:9/);
      const socket = connect(Number(port), "127.0.0.1");
      let text = "";
      for await (const chunk of socket) text += chunk;
      expect(text).toBe("ahoy");
      serving.signal("SIGTERM");
      expect((await serving.finish(15_000)).exit).toBe(0);
    });
  }, 120_000);

  if (!isBun) return; // a namespace cannot reach the server; `deno task packages` has threads
  // Each thread loads the program and the plugin again.
  testRequiring(["tun", "program:nsenter"], "serves in several threads", async () => {
    await using namespace = await Namespace.open();
    await withProgram(async (command, folder) => {
      const device = ["--tun", "berth0", "--address", "10.7.0.2/24", ...TWO_WORKERS];
      const plugin = join(folder, "greeting.ts");
      const serving = namespace.start(...command, ...device, "--listen", `9=${plugin}`);
      await serving.printed(/with 2 workers/);
      await serving.printed(/Ctrl\+C/);
      expect(await namespace.run(["nc", "-d", "-w", "5", "10.7.0.2", "9"])).toBe("ahoy");
      serving.signal("SIGTERM");
      expect((await serving.finish(15_000)).exit).toBe(0);
    });
  }, 120_000);
});

async function withProgram(
  body: (command: readonly string[], folder: string) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "berth-without-files-"));
  writeFileSync(join(folder, "greeting.ts"), PLUGIN);
  mkdirSync(join(folder, "node_modules/own"), { recursive: true });
  writeFileSync(join(folder, "node_modules/own/package.json"), '{ "type": "module" }');
  writeFileSync(join(folder, "node_modules/own/index.js"), "export default 1;");
  const { command, clean } = await (isBun ? compiledProgram : remoteModule)(folder);
  try {
    await body(command, folder);
  } finally {
    clean();
    rmSync(folder, { recursive: true, force: true });
  }
}
