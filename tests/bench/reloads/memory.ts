/**
 * Memory of a service after 10, 100, 500 and 1,000 reloads. Prints a line of JSON for each
 * runtime: resident memory right after the reloads (`busy`) and after some idle seconds, resident memory and heap after
 * the collector has run, all in MB.
 *
 *     bun tests/bench/reloads/memory.ts [--server Deno|Bun] [--reloads 1000] [--pause-ms 0] [--requests 60000]
 *         [--change configuration|code] [--v8-flags --max-semi-space-size=8]
 *
 * The service gets requests first, over 256 connections, and a health check asks its admin API: the runtime compiles
 * its code and enlarges its young generation, as it does in any service with clients. Before each measurement the service
 * is idle for some seconds, so that the runtime returns what only the load needed. `--requests 0` measures a service
 * that nobody has used, without pauses.
 *
 * Every reload changes a plugin's options and adds or removes a listen address, or with `--change code` writes
 * other code to a plugin and to a module that it imports. Without a pause the reloads follow each other, and the
 * collector runs when the runtime finds it necessary; with one it can also run in between.
 *
 * @module
 */
import { join } from "node:path";
import process from "node:process";
import { parseArgs } from "node:util";
import { Program } from "../../support/program.ts";
import { findRuntime } from "../../support/runtimes.ts";
import { ROOT } from "../../support/source_files.ts";
import { TemporaryFolder } from "../../support/temporary_folder.ts";
import type { MemoryFigures } from "../programs/reload_memory_app.ts";
import { report } from "../report.ts";
import { ask, freePorts, memoryMb, post } from "./servers.ts";

const MARKS: readonly number[] = [10, 100, 500, 1000];
/** Connections of the load before the reloads. */
const CONNECTIONS = 256;
/** Number of requests for each request of the health check. */
const REQUESTS_PER_CHECK = 100;
/** V8 returns pages that it no longer needs after eight seconds. */
const IDLE_MS = 12_000;

const { values } = parseArgs({
  options: {
    server: { type: "string" },
    reloads: { type: "string", default: "1000" },
    "pause-ms": { type: "string", default: "0" },
    requests: { type: "string", default: "60000" },
    change: { type: "string", default: "configuration" },
    "v8-flags": { type: "string", default: "" },
  },
});

async function measure(runtime: "Deno" | "Bun"): Promise<void> {
  using folder = new TemporaryFolder();
  const [http = 0] = await freePorts(1);
  const admin = folder.file("berth.sock");
  const config = write(folder, http, 0);
  const v8Flags = values["v8-flags"] === "" ? [] : [values["v8-flags"]];
  const run = runtime === "Deno"
    ? ["run", "-A", `--v8-flags=${["--expose-gc", ...v8Flags].join()}`]
    : [];
  const command = [findRuntime(runtime).executable, ...run, "main.ts", "--config", config];
  const program = new Program(command, ROOT);
  await program.printed(/Ctrl\+C/);
  const figures: Record<string, unknown> = {};
  const url = `http://127.0.0.1:${http}/`;
  const requests = Number(values.requests);
  if (requests > 0) await load(url, requests, admin);
  const last = Number(values.reloads);
  for (let reload = 1; reload <= last; reload++) {
    write(folder, http, reload);
    await post(admin, "/reload");
    await sleep(Number(values["pause-ms"]));
    if (!MARKS.includes(reload) && reload !== last) continue;
    const busy = memoryMb(program.pid);
    if (requests > 0) await sleep(IDLE_MS);
    figures[reload] = {
      busy,
      ...inMb(await (await fetch(url)).json() as MemoryFigures),
    };
  }
  report("reload memory", {
    server: `berth on ${runtime}`,
    change: values.change,
    v8Flags: values["v8-flags"],
    requests,
    pauseMs: Number(values["pause-ms"]),
    memoryMb: figures,
  });
  program.signal("SIGTERM");
  await program.finish(10_000);
}

/** Sends requests over all connections, and asks the admin API whether the service is ready. */
async function load(url: string, requests: number, admin: string): Promise<void> {
  let left = requests;
  await Promise.all(Array.from({ length: CONNECTIONS }, async () => {
    while (left-- > 0) {
      await (await fetch(`${url}hello`)).text();
      if (left % REQUESTS_PER_CHECK === 0) await ask("GET", admin, "/readyz");
    }
  }));
}

/** Writes the configuration and the code for a reload; returns the path of the configuration. */
function write(folder: TemporaryFolder, http: number, reload: number): string {
  const isCode = values.change === "code";
  const version = isCode ? reload : 0;
  folder.write("greeting.ts", `export const greeting: string = "hello ${version}";\n`);
  folder.write(
    "plugin.ts",
    `import { greeting } from "./greeting.ts";
export default async ({ socket }: { socket: { write(bytes: Uint8Array): Promise<void> } }) => {
  await socket.write(new TextEncoder().encode(greeting));
};
`,
  );
  const changed = {
    "8": { plugin: "forward", options: { to: `127.0.0.1:${9000 + reload % 100}` } },
    ...reload % 2 === 0 && { "9": ["log", "discard"] },
  };
  const listen = {
    "80": `http:${join(ROOT, "tests/bench/programs/reload_memory_app.ts")}`,
    "7": "./plugin.ts",
    ...!isCode && changed,
  };
  return folder.write(
    "berth.json",
    JSON.stringify({
      listen,
      publish: [`${http}=10.7.0.2:80`],
      admin: `unix:${folder.file("berth.sock")}`,
      logLevel: "error",
    }),
  );
}

function inMb(figures: MemoryFigures): Record<string, number> {
  return Object.fromEntries(
    Object.entries(figures).map(([name, bytes]) => [name, Math.round(bytes / 1e5) / 10]),
  );
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

for (const runtime of ["Deno", "Bun"] as const) {
  if (values.server === undefined || values.server === runtime) await measure(runtime);
}
process.exit();
