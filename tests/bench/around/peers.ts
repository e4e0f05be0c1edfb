/**
 * The alternatives to this service, each in a namespace of its own.
 *
 * @module
 */
import type { Namespace } from "../../support/namespace.ts";
import type { Program } from "../../support/program.ts";
import { type Requirement, requires } from "../../support/requirements.ts";
import { findRuntime } from "../../support/runtimes.ts";
import type { TemporaryFolder } from "../../support/temporary_folder.ts";
import type { AroundTarget } from "./loads.ts";

/** The address of the servers that are compared, on a veth device. */
export const PEER = "10.91.0.2";
/** The address behind the gateways that are compared with `egress`. */
export const OUTSIDE = "10.93.0.1";
/** The ports of `kernel_server.c`. */
export const KERNEL_PORTS = {
  echo: 7,
  datagrams: 7,
  discard: 9,
  characters: 19,
  http: 80,
} as const;

/** Whether a peer can be measured; if not, prints what is missing on stderr. */
export function canMeasure(name: string, ...requirements: readonly Requirement[]): boolean {
  const available = requires(...requirements);
  if (!available.ok) console.error(`not measured: ${name} (${available.reason})`);
  return available.ok;
}

/** Files that the peers share. */
export interface Files {
  readonly folder: TemporaryFolder;
  readonly certificate: string;
  readonly key: string;
}

/** nginx: HTTPS with HTTP/2, and static files. */
export async function startNginx(
  namespace: Namespace,
  { folder, certificate, key }: Files,
): Promise<AroundTarget | undefined> {
  if (!canMeasure("nginx", "program:nginx")) return undefined;
  const { path } = folder;
  const config = folder.write(
    "nginx.conf",
    `daemon off; worker_processes 1; pid ${path}/nginx.pid; error_log stderr crit; user root;
     events { worker_connections 1024; }
     http {
       access_log off; sendfile on; keepalive_requests 1000000000; open_file_cache max=100;
       client_body_temp_path ${path}/a; proxy_temp_path ${path}/b; fastcgi_temp_path ${path}/c;
       uwsgi_temp_path ${path}/d; scgi_temp_path ${path}/e;
       server {
         listen 8443 ssl http2; ssl_certificate ${certificate}; ssl_certificate_key ${key};
         location / { return 200 "hello"; }
         location /bulk { alias ${path}/www/1g.bin; }
       }
       server { listen 8080; root ${path}/www; }
     }`,
  );
  const program = namespace.start("nginx", "-p", path, "-e", "stderr", "-c", config);
  await listens(namespace, program, 8443);
  const ports = { https: 8443, http2: 8443, files: 8080 };
  return { name: "nginx", address: PEER, groups: ["HTTP"], ports };
}

/** The HTTPS and WebSocket servers of a runtime. */
export async function startOwnServers(
  namespace: Namespace,
  name: "Deno" | "Bun",
  { certificate, key }: Files,
): Promise<AroundTarget> {
  const port = name === "Deno" ? 8500 : 8600;
  const run = name === "Deno" ? ["run", "-A"] : [];
  const module = "tests/bench/programs/own_servers.ts";
  const program = [findRuntime(name).executable, ...run, module];
  await namespace.start(...program, certificate, key, String(port)).printed(/ready/);
  return {
    name: `${name}'s own servers`,
    address: PEER,
    groups: ["HTTP", "datagrams and WebSocket"],
    ports: { https: port, http2: port + 1, webSocket: port + 2 },
  };
}

/**
 * HAProxy in front of `kernel_server.c` in the same namespace; `undefined` if it is not installed.
 */
export async function startHaproxy(
  namespace: Namespace,
  { folder }: Files,
): Promise<{ program: Program; target: AroundTarget } | undefined> {
  if (!canMeasure("HAProxy", "program:haproxy")) return undefined;
  const services = Object.entries(KERNEL_PORTS).filter(([service]) => service !== "datagrams");
  const proxies = services.map(([service, port]) =>
    `listen ${service}\n  bind :${9000 + port}\n  server target 127.0.0.1:${port}\n`
  );
  const config = folder.write(
    "haproxy.cfg",
    `global
  nbthread 1
  maxconn 9500
  no strict-limits
defaults
  mode tcp
  maxconn 9500
  timeout connect 5s
  timeout client 1h
  timeout server 1h
${proxies.join("")}`,
  );
  const program = namespace.start("haproxy", "-db", "-f", config);
  await listens(namespace, program, 9000 + KERNEL_PORTS.http);
  const ports = Object.fromEntries(services.map(([service, port]) => [service, 9000 + port]));
  return { program, target: { name: "HAProxy", address: PEER, groups: ["forward"], ports } };
}

/** dnsmasq with one name. */
export async function startDnsmasq(namespace: Namespace): Promise<AroundTarget | undefined> {
  if (!canMeasure("dnsmasq", "program:dnsmasq")) return undefined;
  const flags = ["--no-daemon", "--no-resolv", "--no-hosts", "--user=root", "--pid-file="];
  const program = namespace.start("dnsmasq", ...flags, "--address=/host.test/10.90.0.9");
  await program.printed(/started/, "log");
  return {
    name: "dnsmasq",
    address: PEER,
    groups: ["datagrams and WebSocket"],
    ports: { dns: 53 },
  };
}

/** Gateways of a namespace: started in `outside`, they give `inside` its default route. */
export async function startGateways(
  outside: Namespace,
  openInside: () => Promise<Namespace>,
  { folder }: Files,
): Promise<AroundTarget[]> {
  const targets: AroundTarget[] = [];
  const add = async (name: string, command: (pid: string) => string[]) => {
    const inside = await openInside();
    const program = outside.start(...command(await pidIn(inside)));
    program.hush();
    const ready = inside.shell(
      `until ip route get ${OUTSIDE} >/dev/null 2>&1; do sleep 0.05; done`,
    );
    const failed = program.ended.then(({ log }) => {
      throw new Error(`${name} ended: ${log}`);
    });
    failed.catch(() => {});
    await Promise.race([ready, failed]);
    targets.push({
      name,
      address: OUTSIDE,
      groups: ["egress"],
      ports: KERNEL_PORTS,
      enter: inside.enter,
    });
  };
  if (canMeasure("slirp4netns", "program:slirp4netns")) {
    await add("slirp4netns", (pid) => ["slirp4netns", "--configure", "--mtu=65520", pid, "tap0"]);
  }
  if (canMeasure("pasta", "program:pasta")) {
    const flags = ["--foreground", "--quiet", "--config-net", "--runas", "0", "--mtu", "65520"];
    // pasta drops the privilege to read /proc before it opens the namespace.
    const path = folder.write("pasta.ns", "");
    const script = `mount --bind "/proc/$0/ns/net" ${path} && exec pasta "$@" --netns ${path}`;
    await add("pasta", (pid) => ["sh", "-c", script, pid, "--netns-only", ...flags]);
  }
  return targets;
}

/** The process ID of a program in a namespace, which ends with it. */
export async function pidIn(namespace: Namespace): Promise<string> {
  const [pid] = await namespace.start("sh", "-c", "echo $$; exec cat").printed(/\d+/);
  return pid;
}

async function listens(namespace: Namespace, program: Program, port: number): Promise<void> {
  const failed = program.ended.then(({ log }) => {
    throw new Error(log);
  });
  failed.catch(() => {});
  const isThere = `until ss -Hltn sport = :${port} | grep -q .; do sleep 0.05; done`;
  await Promise.race([namespace.shell(isThere), failed]);
}
