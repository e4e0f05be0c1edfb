/**
 * Memory of a service after 10, 100, 500 and 1,000 reloads, without clients. Prints a line of JSON for each
 * runtime: resident memory as found, resident memory and heap after the collector has run, all in MB.
 *
 *     bun tests/bench/reloads/memory.ts [--server Deno|Bun] [--reloads 1000] [--pause-ms 0]
 *         [--change configuration|code] [--v8-flags --max-semi-space-size=8]
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
import { freePorts, post } from "./servers.ts";

const MARKS: readonly number[] = [10, 100, 500, 1000];

const { values } = parseArgs({
  options: {
    server: { type: "string" },
    reloads: { type: "string", default: "1000" },
    "pause-ms": { type: "string", default: "0" },
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
  const last = Number(values.reloads);
  for (let reload = 1; reload <= last; reload++) {
    write(folder, http, reload);
    await post(admin, "/reload");
    await sleep(Number(values["pause-ms"]));
    if (!MARKS.includes(reload) && reload !== last) continue;
    const url = `http://127.0.0.1:${http}/`;
    figures[reload] = inMb(await (await fetch(url)).json() as MemoryFigures);
  }
  report("reload memory", {
    server: `berth on ${runtime}`,
    change: values.change,
    v8Flags: values["v8-flags"],
    pauseMs: Number(values["pause-ms"]),
    memoryMb: figures,
  });
  program.signal("SIGTERM");
  await program.finish(10_000);
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
