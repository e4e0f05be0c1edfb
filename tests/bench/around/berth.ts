/**
 * The service on a TUN device, with everything that the rows of `around.ts` measure.
 *
 * @module
 */
import { join } from "node:path";
import type { Namespace } from "../../support/namespace.ts";
import type { Program } from "../../support/program.ts";
import { ROOT } from "../../support/source_files.ts";
import type { Runtime } from "../../support/runtimes.ts";
import type { AroundTarget } from "./loads.ts";
import { type Files, KERNEL_PORTS, OUTSIDE, pidIn } from "./peers.ts";

const PROGRAMS = "./tests/bench/programs";
/** {@link KERNEL_PORTS} behind `forward`. */
const FORWARDED = { echo: 9007, discard: 9009, characters: 9019, http: 9080 };

/** Starts everything except `egress`. `index` distinguishes the devices and addresses of services. */
export async function startBerth(
  namespace: Namespace,
  runtime: Runtime,
  index: number,
  { folder, certificate, key }: Files,
): Promise<AroundTarget[]> {
  const app = join(ROOT, PROGRAMS, "around_app.ts");
  const listen = {
    81: `files:${join(folder.path, "www")}`,
    82: `http:${PROGRAMS}/web_socket_echo.ts`,
    80: `http:${PROGRAMS}/hello.ts`,
    7: "echo",
    "udp/7": "echo",
    9: "discard",
    19: "chargen",
    ...forwards(),
  };
  const certificates = [{ cert: certificate, key }];
  const tls = { plugin: "tls", options: { certificates, alpn: ["h2", "http/1.1"] } };
  const dns = { plugin: "dns", options: { names: { "host.test": "10.90.0.9" } } };
  // A file for the options that --listen has no short form for.
  const config = folder.write(
    `berth${index}.json`,
    JSON.stringify({ listen: { 443: [tls, `http2:${app}`, `http:${app}`], "udp/53": dns } }),
  );
  const address = `10.90.${index}.2`;
  const flags = ["--tun", `berth${index}`, "--address", `${address}/24`, "--config", config];
  await start(namespace, runtime, flags, listen);
  const name = nameOf(runtime);
  const served = { https: 443, http2: 443, files: 81, webSocket: 82, dns: 53, ...KERNEL_PORTS };
  return [
    { name, address, groups: ["HTTP", "datagrams and WebSocket", "kernel"], ports: served },
    { name, address, groups: ["forward"], ports: FORWARDED },
  ];
}

/** Starts a service with only `forward`. */
export async function startForward(
  namespace: Namespace,
  runtime: Runtime,
  index: number,
): Promise<{ program: Program; target: AroundTarget }> {
  const address = `10.90.${index}.2`;
  const flags = ["--tun", `berth${index}`, "--address", `${address}/24`];
  const program = await start(namespace, runtime, flags, forwards());
  const name = nameOf(runtime);
  return { program, target: { name, address, groups: ["forward"], ports: FORWARDED } };
}

function forwards(): Record<string, string> {
  return Object.fromEntries(
    Object.entries(FORWARDED).map(([service, port]) => [
      port,
      `forward:127.0.0.1:${KERNEL_PORTS[service as keyof typeof FORWARDED]}`,
    ]),
  );
}

/** The gateway of the namespace `inside`, as `docs/egress.md` sets it up. */
export async function startEgress(
  outside: Namespace,
  inside: Namespace,
  runtime: Runtime,
  index: number,
): Promise<AroundTarget> {
  const device = `berth${index}`;
  const own = `10.90.${index}.1/24`;
  const flags = ["--tun", device, "--address", "0.0.0.0/0", "--host-address", own];
  await start(outside, runtime, flags, { "*": "egress" });
  await outside.shell(`ip link set ${device} netns ${await pidIn(inside)}`);
  await inside.shell(`ip address add ${own} dev ${device} && ip link set ${device} up &&
    ip route add default dev ${device}`);
  return {
    name: nameOf(runtime),
    address: OUTSIDE,
    groups: ["egress"],
    ports: KERNEL_PORTS,
    enter: inside.enter,
  };
}

async function start(
  namespace: Namespace,
  { name, executable }: Runtime,
  flags: readonly string[],
  listen: Readonly<Record<string, string>>,
): Promise<Program> {
  const run = name === "Deno" ? ["run", "-A"] : [];
  const ports = Object.entries(listen).flatMap(([at, chain]) => ["--listen", `${at}=${chain}`]);
  const command = [executable, ...run, "main.ts", ...flags, ...ports, "--log-level", "warn"];
  const program = namespace.start(...command);
  await program.printed(/Ctrl\+C/);
  return program;
}

function nameOf(runtime: Runtime): string {
  return `berth on ${runtime.name}`;
}
