/**
 * Measures the service on a TUN device with real clients on kernel sockets, on Deno and on Bun, alternating with the
 * kernel behind a veth pair: `end_to_end.ts [SECONDS] [ROUNDS]`. Everything runs in two network namespaces that end
 * with this program. Prints a line of JSON for each load and target.
 *
 * @module
 */
import process from "node:process";
import { Namespace } from "../support/namespace.ts";
import { requires } from "../support/requirements.ts";
import { findRuntime, type Runtime } from "../support/runtimes.ts";
import { alternate, type Target } from "./alternate.ts";
import { checkedLoads, httpLoad, iperf3Loads, sharesOf } from "./loads.ts";
import { report } from "./report.ts";

const KERNEL = "10.91.0.2";
const IPERF3_PORT = "5201";
const BULK_PORT = 9000;
const BENCHMARK = "end to end";

async function main(): Promise<void> {
  const available = requires("tun", "program:ip", "program:nsenter", "program:iperf3");
  if (!available.ok) throw new Error(`This benchmark ${available.reason}`);
  const [seconds = 3, rounds = 3] = process.argv.slice(2).map(Number);
  await using clients = await Namespace.open();
  await using kernel = await Namespace.open();
  await join(clients, kernel);
  const targets: Target[] = [];
  for (const name of ["Deno", "Bun"] as const) {
    const runtime = findRuntime(name);
    targets.push(await startService(clients, runtime, targets.length));
    targets.push(await startKernelHttp(kernel, runtime, targets.length));
  }
  const server = kernel.start("iperf3", "--server", "--forceflush");
  await server.printed(/listening/);
  targets.push({ name: "kernel", address: KERNEL, serves: ["iperf3"] });
  const loads = iperf3Loads(seconds);
  if (requires("program:wrk").ok) loads.push(httpLoad(seconds));
  loads.push(...checkedLoads(findRuntime("Bun").executable, BULK_PORT, seconds));
  const options = { benchmark: BENCHMARK, rounds, enter: clients.enter };
  const results = await alternate(options, loads, targets);
  for (const share of sharesOf(results)) report(BENCHMARK, { ...share });
}

/** A veth pair between two namespaces. */
async function join(one: Namespace, other: Namespace): Promise<void> {
  const witness = other.start("sh", "-c", "echo $$; exec cat");
  const [pid] = await witness.printed(/\d+/);
  await one.shell(`ip link add kernel0 type veth peer name kernel1 netns ${pid} &&
    ip address add 10.91.0.1/24 dev kernel0 && ip link set kernel0 up`);
  await other.shell(`ip address add ${KERNEL}/24 dev kernel1 && ip link set kernel1 up`);
  witness.hush();
}

async function startService(
  namespace: Namespace,
  runtime: Runtime,
  index: number,
): Promise<Target> {
  const address = `10.90.${index}.2`;
  const device = ["--tun", `berth${index}`, "--address", `${address}/24`, "--log-level", "warn"];
  const bulk = ["--listen", `${BULK_PORT}=./tests/bench/programs/bulk.ts`];
  const ports = ["--listen", `${IPERF3_PORT}=iperf3`, "--listen", `80=http:${HELLO}`, ...bulk];
  const service = namespace.start(...commandOf(runtime, "main.ts", ...device, ...ports));
  await service.printed(/Ctrl\+C/);
  return { name: `berth on ${runtime.name}`, address, serves: ["iperf3", "http", "bulk"] };
}

const HELLO = "./tests/bench/programs/hello.ts";

/** Starts the servers on the kernel. Each has its own address, since they share the namespace. */
async function startKernelHttp(
  namespace: Namespace,
  runtime: Runtime,
  index: number,
): Promise<Target> {
  const port = String(8000 + index);
  const program = commandOf(runtime, "tests/bench/programs/kernel_http.ts", port);
  await namespace.start(...program).printed(/ready/);
  return { name: `${runtime.name}'s own server`, address: `${KERNEL}:${port}`, serves: ["http"] };
}

function commandOf(runtime: Runtime, module: string, ...args: readonly string[]): string[] {
  const run = runtime.name === "Deno" ? ["run", "-A"] : [];
  return [runtime.executable, ...run, module, ...args];
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
