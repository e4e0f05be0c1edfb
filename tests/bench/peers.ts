/**
 * Compares the service with other stacks that are already running, in their network namespace and
 * with their load generator, alternately:
 *
 *     peers.ts --namespace NAME --generator FILE --peer NAME=ADDRESS... [--seconds N] [--rounds N]
 *              [--offload off]
 *
 * The generator takes `MODE HOST PORT SECONDS CONNECTIONS` and prints a line of JSON; the peers serve
 * echo on port 7, discard on 9, characters on 19 and HTTP on 80. `--offload off` measures devices without
 * offload instead, bulk to the stack alone. Needs root. Prints a line of JSON for each load and target.
 *
 * @module
 */
import process from "node:process";
import { parseArgs } from "node:util";
import { Program } from "../support/program.ts";
import { requires } from "../support/requirements.ts";
import { findRuntime } from "../support/runtimes.ts";
import { ROOT } from "../support/source_files.ts";
import { alternate, type Target } from "./alternate.ts";
import { generatorLoads, httpLoad } from "./loads.ts";

const SERVES = ["http"];

async function main(): Promise<void> {
  const { values } = parseArgs({
    options: {
      namespace: { type: "string" },
      generator: { type: "string" },
      peer: { type: "string", multiple: true, default: [] },
      seconds: { type: "string", default: "3" },
      rounds: { type: "string", default: "3" },
      offload: { type: "string", default: "on" },
    },
  });
  const { namespace, generator, peer, offload } = values;
  if (namespace === undefined || generator === undefined) {
    throw new Error("Say where the peers are: --namespace NAME --generator FILE");
  }
  const enter = ["ip", "netns", "exec", namespace];
  const services: Program[] = [];
  try {
    const targets = peer.map(parsePeer);
    for (const [index, name] of (["Deno", "Bun"] as const).entries()) {
      const address = `10.90.${index}.2`;
      services.push(await startService(enter, name, offload, `berth${index}`, address));
      targets.push({ name: `berth on ${name}`, address, serves: SERVES });
    }
    const rounds = Number(values.rounds);
    const all = generatorLoads(generator, Number(values.seconds));
    if (requires("program:wrk").ok) all.push(httpLoad(Number(values.seconds)));
    const isPlain = offload === "off";
    const loads = isPlain ? all.filter(({ name }) => name.startsWith("up,")) : all;
    const benchmark = isPlain ? "beside peers without offload" : "beside peers";
    await alternate({ benchmark, rounds, enter }, loads, targets);
  } finally {
    for (const service of services) service.signal("SIGTERM");
    await Promise.all(services.map((service) => service.finish(10_000).catch(() => {})));
  }
}

function parsePeer(text: string): Target {
  const [name, address] = text.split("=");
  if (name && address) return { name, address, serves: SERVES };
  throw new Error(`--peer ${text}: write NAME=ADDRESS`);
}

async function startService(
  enter: readonly string[],
  name: "Deno" | "Bun",
  offload: string,
  device: string,
  address: string,
): Promise<Program> {
  const { executable } = findRuntime(name);
  const run = name === "Deno" ? ["run", "-A"] : [];
  const ports = ["7=echo", "9=discard", "19=chargen", "80=http:./tests/bench/programs/hello.ts"];
  const link = ["--link", `tun:${device},offload=${offload}`];
  const flags = [...link, "--address", `${address}/24`, "--log-level", "warn"];
  const listen = ports.flatMap((port) => ["--listen", port]);
  const service = new Program([...enter, executable, ...run, "main.ts", ...flags, ...listen], ROOT);
  await service.printed(/Ctrl\+C/);
  return service;
}

await main().catch((error: Error) => {
  console.error(error.message);
  process.exitCode = 1;
});
