/**
 * The cost of being observed: requests per second of a service that nobody observes, with a dashboard
 * open, and with metrics on and scraped every second. Prints a line of JSON with medians, and each as a
 * share of the first.
 *
 *     bun tests/bench/observers.ts [Deno|Bun] [ROUNDS] [SECONDS]
 *
 * @module
 */
import { request } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { Program } from "../support/program.ts";
import { findRuntime } from "../support/runtimes.ts";
import { ROOT } from "../support/source_files.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { median, report } from "./report.ts";

const [name = "Bun", rounds = "9", seconds = "3"] = process.argv.slice(2);
const APP = join(ROOT, "tests/bench/programs/reload_app.ts");

interface Service {
  readonly program: Program;
  readonly url: string;
  readonly socketPath: string;
}

async function start(folder: TemporaryFolder, metrics: "on" | "off"): Promise<Service> {
  const socketPath = folder.file(`${metrics}.sock`);
  const runtime = findRuntime(name as "Deno" | "Bun");
  const run = name === "Deno" ? ["run", "-A"] : [];
  const flags = ["--listen", `80=http:${APP}`, "--publish", "127.0.0.1:0=10.7.0.2:80"];
  const others = ["--admin", `unix:${socketPath}`, "--metrics", metrics, "--log-level", "error"];
  const program = new Program([runtime.executable, ...run, "main.ts", ...flags, ...others], ROOT);
  const [, port] = await program.printed(/127\.0\.0\.1:(\d+)[^]*Ctrl\+C/);
  return { program, url: `http://127.0.0.1:${port}/`, socketPath };
}

/** Reads a response for as long as `measure` takes. */
async function observed<T>(
  { socketPath }: Service,
  path: string,
  everyMs: number | undefined,
  measure: () => Promise<T>,
): Promise<T> {
  const open = () => {
    const sent = request({ socketPath, path }, (response) => response.resume());
    sent.on("error", () => {});
    sent.end();
    return sent;
  };
  const first = open();
  const timer = everyMs === undefined ? undefined : setInterval(open, everyMs);
  const result = await measure();
  clearInterval(timer);
  first.destroy();
  return result;
}

async function load({ url }: Service): Promise<number> {
  const { out } = await new Program(["wrk", "-t1", "-c16", `-d${seconds}s`, url], ROOT).ended;
  return Number(/Requests\/sec:\s*([\d.]+)/.exec(out)?.[1]);
}

using folder = new TemporaryFolder();
const [plain, measured] = [await start(folder, "off"), await start(folder, "on")];
const cases: Readonly<Record<string, () => Promise<number>>> = {
  alone: () => load(plain),
  dashboard: () => observed(plain, "/live?limit=25&sort=-age", undefined, () => load(plain)),
  metrics: () => observed(measured, "/metrics", 1000, () => load(measured)),
};
const rates = new Map(Object.keys(cases).map((each) => [each, [] as number[]]));
for (let round = 0; round <= Number(rounds); round++) {
  const order = Object.entries(cases);
  if (round % 2 === 1) order.reverse();
  for (const [each, measure] of order) {
    const rate = await measure();
    // The first round is a warm-up.
    if (round > 0) rates.get(each)!.push(rate);
  }
}
const medians = Object.fromEntries([...rates].map(([each, all]) => [each, median(all)]));
const shareOf = (each: string) => Math.round(medians[each]! / medians["alone"]! * 1000) / 1000;
report("observers", {
  service: name,
  requestsPerSecond: medians,
  dashboard: shareOf("dashboard"),
  metrics: shareOf("metrics"),
});
for (const { program } of [plain, measured]) {
  program.signal("SIGTERM");
  await program.finish(10_000).catch(() => {});
}
process.exit();
