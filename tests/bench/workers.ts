/**
 * One worker against several, on the same processors as the load generator:
 *
 *     deno run -A tests/bench/workers.ts [--runtime Deno|Bun] [--workers 2] [--seconds 2] [--rounds 4]
 *                                        [--rows TEXT] [--steering program|kernel]
 *
 * Two services run side by side, one of them idle, and are measured in turn: A B B A. Prints a line of JSON for each
 * row: the medians of both, the median of the ratios of neighboring rounds, the processor time (user and system) of the
 * service for an operation or a megabyte, and how many packets the workers have forwarded to each other. With one worker
 * the kernel may process its packets on the other processor (RPS), in time that counts as that of another process, so the
 * processor time of one worker is a lower bound. A round in which the generator reports an error is left out, and its
 * message is shown. `--steering kernel` takes CAP_BPF from the services. Needs root, a TUN device, a C compiler and, for
 * HTTP, `wrk`.
 *
 * @module
 */
import { readFileSync } from "node:fs";
import { request } from "node:http";
import process from "node:process";
import { parseArgs } from "node:util";
import { Namespace } from "../support/namespace.ts";
import type { Program } from "../support/program.ts";
import { requires } from "../support/requirements.ts";
import { findRuntime, type Runtime } from "../support/runtimes.ts";
import { TemporaryFolder } from "../support/temporary_folder.ts";
import type { Load } from "./alternate.ts";
import { measure } from "./alternate.ts";
import { compile } from "./compile.ts";
import { figureOf, httpLoad } from "./loads.ts";
import { median, report } from "./report.ts";

/** Ticks of `/proc/PID/stat`. */
const TICKS_PER_SECOND = 100;
const PORTS = ["7=echo", "9=discard", "19=chargen", "80=http:./tests/bench/programs/hello.ts"];
/** Reuses ports, because connections in TIME-WAIT would use up those of a client within seconds. */
const REUSE_PORTS = `cd /proc/sys/net/ipv4 && echo 1 > tcp_tw_reuse &&
  echo 1024 65535 > ip_local_port_range`;
const WITHOUT_BPF = [
  "setpriv",
  "--bounding-set",
  "-bpf,-sys_admin",
  "--inh-caps",
  "-bpf,-sys_admin",
];

interface Service {
  readonly workers: number;
  readonly address: string;
  readonly program: Program;
  readonly socketPath: string;
}

interface Round {
  readonly figure: number;
  /** Processor time of the service, in seconds. */
  readonly processorTime: number;
}

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      runtime: { type: "string" },
      workers: { type: "string", default: "2" },
      seconds: { type: "string", default: "2" },
      rounds: { type: "string", default: "4" },
      rows: { type: "string", default: "" },
      steering: { type: "string", default: "program" },
    },
  });
  const available = requires("tun", "program:ip", "program:nsenter", "program:cc");
  if (!available.ok) throw new Error(`This benchmark ${available.reason}`);
  using folder = new TemporaryFolder();
  const seconds = Number(values.seconds);
  const loads = loadsOf(compile(folder, "load"), seconds);
  if (requires("program:wrk").ok) loads.unshift(httpLoad(seconds));
  else console.error("without wrk, the row of HTTP is left out");
  const chosen = loads.filter(({ name }) => name.includes(values.rows));
  for (const name of ["Deno", "Bun"] as const) {
    if (values.runtime !== undefined && values.runtime !== name) continue;
    await using namespace = await Namespace.open();
    await namespace.shell(REUSE_PORTS);
    const enter = values.steering === "kernel" ? WITHOUT_BPF : [];
    const start = (workers: number, index: number) =>
      startService(namespace, findRuntime(name), enter, folder, workers, index);
    const one = await start(1, 0);
    const several = await start(Number(values.workers), 1);
    for (const load of chosen) {
      const figures = await compare(load, one, several, Number(values.rounds), namespace.enter);
      report("workers", {
        ...{ on: name, row: load.name, unit: load.unit, workers: several.workers },
        ...{ steering: values.steering, ...figures(seconds) },
      });
    }
  }
}

function loadsOf(generator: string, seconds: number): Load[] {
  const load = (
    ...[name, unit, mode, port, connections, field]: [
      string,
      string,
      string,
      number,
      number,
      string,
    ]
  ): Load => ({
    name,
    unit,
    command: ({ address }) => [generator, mode, address, port, seconds, connections].map(String),
    figure: (out) => figureOf(out, field),
  });
  return [
    load("connect, 64 bytes, close; 32 at a time", "per s", "crr", 7, 32, "req_s"),
    load("64 bytes there and back, 64 connections", "per s", "pingpong", 7, 64, "req_s"),
    load("from the stack, 16 connections", "Gbit/s", "down", 19, 16, "gbit_s"),
    load("to the stack, 16 connections", "Gbit/s", "up", 9, 16, "gbit_s"),
  ];
}

async function compare(
  load: Load,
  one: Service,
  several: Service,
  rounds: number,
  enter: readonly string[],
): Promise<(seconds: number) => Record<string, unknown>> {
  const results = new Map<Service, Round[]>([[one, []], [several, []]]);
  const failures: string[] = [];
  for (const service of results.keys()) await measureOnce(load, service, enter).catch(() => {});
  const before = await forwardedBy(several);
  for (let round = 0; round < rounds; round++) {
    const order = round % 2 === 0 ? [one, several] : [several, one];
    const pair = new Map<Service, Round>();
    try {
      for (const service of order) pair.set(service, await measureOnce(load, service, enter));
      for (const [service, each] of pair) results.get(service)!.push(each);
    } catch (error) {
      failures.push((error as Error).message);
    }
  }
  const forwarded = await forwardedBy(several) - before;
  const [first, second] = [results.get(one)!, results.get(several)!];
  const scale = load.unit === "Gbit/s" ? 125 : 1;
  return (seconds) => {
    if (first.length === 0) return { failures };
    const cost = ({ figure, processorTime }: Round) =>
      1e6 * processorTime / (figure * scale * seconds);
    const middle = (list: readonly Round[], of: (round: Round) => number) =>
      rounded(median(list.map(of)));
    const ratio = (of: (round: Round) => number) =>
      rounded(median(first.map((each, index) => of(second[index]!) / of(each))));
    const operations = second.reduce((sum, { figure }) => sum + figure * scale * seconds, 0);
    return {
      one: middle(first, ({ figure }) => figure),
      several: middle(second, ({ figure }) => figure),
      ratio: ratio(({ figure }) => figure),
      per: load.unit === "Gbit/s" ? "MB" : "operation",
      microsecondsOfOne: middle(first, cost),
      microsecondsOfSeveral: middle(second, cost),
      ratioOfProcessorTime: ratio(cost),
      forwardedPerOperation: rounded(forwarded / operations),
      rounds: first.length,
      ...failures.length > 0 && { failures },
    };
  };
}

async function measureOnce(
  load: Load,
  service: Service,
  enter: readonly string[],
): Promise<Round> {
  const { address, program } = service;
  const before = processorTimeOf(program.pid);
  const target = { name: `${service.workers} workers`, address, serves: ["http"] };
  const figure = await measure(load, target, enter);
  if (typeof figure === "string") throw new Error(`${load.name}: ${figure}`);
  return { figure, processorTime: processorTimeOf(program.pid) - before };
}

/** User and system time of a process, in seconds. */
function processorTimeOf(pid: number): number {
  const fields = readFileSync(`/proc/${pid}/stat`, "utf8").replace(/.*\) /, "").split(" ");
  return (Number(fields[11]) + Number(fields[12])) / TICKS_PER_SECOND;
}

function forwardedBy({ socketPath }: Service): Promise<number> {
  const { promise, resolve, reject } = Promise.withResolvers<number>();
  request({ socketPath, path: "/stats" }, (response) => {
    let text = "";
    response.setEncoding("utf8").on("data", (chunk) => text += chunk);
    response.on("end", () => resolve(JSON.parse(text).forwardedToShard ?? 0));
  }).on("error", reject).end();
  return promise;
}

async function startService(
  namespace: Namespace,
  { name, executable }: Runtime,
  enter: readonly string[],
  folder: TemporaryFolder,
  workers: number,
  index: number,
): Promise<Service> {
  const address = `10.90.${index}.2`;
  const socketPath = folder.file(`${name}${index}.sock`);
  const run = name === "Deno" ? ["run", "-A"] : [];
  const device = ["--tun", `berth${index}`, "--address", `${address}/24`];
  const others = [
    "--workers",
    `${workers}`,
    "--all-processors",
    "on",
    "--admin",
    `unix:${socketPath}`,
    "--log-level",
    "error",
  ];
  const listen = PORTS.flatMap((port) => ["--listen", port]);
  const command = [...enter, executable, ...run, "main.ts", ...device, ...others, ...listen];
  const program = namespace.start(...command);
  await program.printed(/Ctrl\+C/);
  return { workers, address, program, socketPath };
}

function rounded(value: number): number {
  return Number(value.toPrecision(3));
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
