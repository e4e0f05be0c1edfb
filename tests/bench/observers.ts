/**
 * Measures the cost of observing a service: requests per second and processor time per request without an observer
 * ("alone"), with an open dashboard, with metrics that are on but no longer scraped ("counted"), and with metrics
 * that are scraped every five seconds, three times as often as Prometheus does by default. Prints a line of JSON with
 * medians, and each as a share of "alone", by pairs of the same round. Processor time is the better measure, since it
 * includes what other cores do and changes less on a busy machine; two processes of the same kind differ by a few
 * percent, so a run can start several pairs. Needs wrk, and Linux for the processor time.
 *
 *     bun tests/bench/observers.ts [Deno|Bun] [ROUNDS] [SECONDS] [PROCESSES]
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { join } from "node:path";
import process from "node:process";
import { Program } from "../support/program.ts";
import { findRuntime } from "../support/runtimes.ts";
import { ROOT } from "../support/source_files.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import { median, report } from "./report.ts";

const [name = "Bun", rounds = "9", seconds = "3", pairs = "1"] = process.argv.slice(2);
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

/** The figures of one run. */
interface Figures {
  readonly requestsPerSecond: number;
  /** Processor time of the service, in microseconds. */
  readonly cpuPerRequest: number;
}

async function load({ url, program }: Service): Promise<Figures> {
  const before = cpuNanoseconds(program.pid);
  const { out } = await new Program(["wrk", "-t1", "-c16", `-d${seconds}s`, url], ROOT).ended;
  const spent = cpuNanoseconds(program.pid) - before;
  const requests = Number(/(\d+) requests in/.exec(out)?.[1]);
  return {
    requestsPerSecond: Number(/Requests\/sec:\s*([\d.]+)/.exec(out)?.[1]),
    cpuPerRequest: spent / requests / 1000,
  };
}

/** Processor time of all threads of a process. */
function cpuNanoseconds(pid: number): number {
  const folder = `/proc/${pid}/task`;
  return readdirSync(folder)
    .map((task) => Number(readFileSync(`${folder}/${task}/schedstat`, "utf8").split(" ")[0]))
    .reduce((sum, each) => sum + each, 0);
}

const SCRAPE_MS = 5000;
const CASES = ["alone", "dashboard", "counted", "scraped"] as const;
type Case = typeof CASES[number];

const figures = new Map<Case, Figures[]>(CASES.map((each) => [each, []]));

/** Runs all rounds against one pair of processes. */
async function measurePair(folder: TemporaryFolder): Promise<void> {
  const [plain, measured] = [await start(folder, "off"), await start(folder, "on")];
  const run: Readonly<Record<Case, () => Promise<Figures>>> = {
    alone: () => load(plain),
    dashboard: () => observed(plain, "/live?limit=25&sort=-age", undefined, () => load(plain)),
    counted: () => load(measured),
    scraped: () => observed(measured, "/metrics", SCRAPE_MS, () => load(measured)),
  };
  // The first round is a warm-up, and its scrape begins the counting.
  for (let round = 0; round <= Number(rounds); round++) {
    for (const each of round % 2 === 1 ? CASES.toReversed() : CASES) {
      const result = await run[each]();
      if (round > 0) figures.get(each)!.push(result);
    }
  }
  for (const { program } of [plain, measured]) {
    program.signal("SIGTERM");
    await program.finish(10_000).catch(() => {});
  }
}

using folder = new TemporaryFolder();
for (let pair = 0; pair < Number(pairs); pair++) await measurePair(folder);

const rounded = (value: number) => Math.round(value * 1000) / 1000;
const medians = (of: keyof Figures) =>
  Object.fromEntries(CASES.map((each) => {
    const all = figures.get(each)!.map((one) => one[of]);
    return [each, rounded(median(all))];
  }));
const shares = (of: keyof Figures) =>
  Object.fromEntries(
    CASES.slice(1).map((each) => {
      const all = figures.get(each)!.map((one, i) => one[of] / figures.get("alone")![i]![of]);
      return [each, rounded(median(all))];
    }),
  );
report("observers", {
  service: name,
  requestsPerSecond: medians("requestsPerSecond"),
  requestsPerSecondShare: shares("requestsPerSecond"),
  cpuPerRequest: medians("cpuPerRequest"),
  cpuPerRequestShare: shares("cpuPerRequest"),
});
process.exit();
