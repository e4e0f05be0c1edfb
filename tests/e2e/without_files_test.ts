import { describe, expect, test } from "bun:test";
import { mkdtempSync, readFileSync, realpathSync, rmSync, writeFileSync } from "node:fs";
import { createServer } from "node:http";
import type { AddressInfo } from "node:net";
import { tmpdir } from "node:os";
import { join, relative } from "node:path";
import process from "node:process";
import { Program } from "../support/program.ts";
import { ROOT } from "../support/source_files.ts";

const isBun = process.versions["bun"] !== undefined;
/** A device that is never opened, because the flags are refused first. */
const WITH_WORKERS = ["--workers", "2", "--tun", "berth0", "--address", "10.7.0.2/24"];

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

/** Bun compiles it into a single executable. */
const compiledProgram: Make = async (folder) => {
  const program = join(folder, "berth");
  const build = [
    process.execPath,
    "build",
    "--compile",
    join(ROOT, "main.ts"),
    "--outfile",
    program,
  ];
  expect((await new Program(build, folder).finish(60_000)).exit).toBe(0);
  return { command: [program], clean() {} };
};

describe(isBun ? "a compiled program" : "a module from the net", () => {
  // Threads need files, of which there are none: one line says so, and nothing is opened. With a
  // single thread it works.
  test("serves in one thread and refuses --workers with one line", async () => {
    const folder = mkdtempSync(join(tmpdir(), "berth-without-files-"));
    const { command, clean } = await (isBun ? compiledProgram : remoteModule)(folder);
    try {
      const refused = await new Program([...command, ...WITH_WORKERS], folder).finish(60_000);
      expect(refused).toEqual({
        exit: 2,
        out: "",
        log:
          "berth: --workers: threads need berth's files on this machine, which neither a remote " +
          "module nor a compiled binary has: run main.ts from a checkout, or omit --workers\n",
      });
      const publish = ["--listen", "7=echo", "--publish", "127.0.0.1:0=10.7.0.2:7"];
      const serving = new Program([...command, ...publish], folder);
      await serving.printed(/connect to 127\.0\.0\.1:\d+ for 10\.7\.0\.2:7, echo/);
      serving.signal("SIGTERM");
      expect((await serving.finish(15_000)).exit).toBe(0);
    } finally {
      clean();
      rmSync(folder, { recursive: true, force: true });
    }
  }, 120_000);
});
