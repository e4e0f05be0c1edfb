/**
 * The servers whose reloads are compared. Each has the same ports: HTTP/1.1, HTTP/2 in clear, TCP
 * echo if it has any, and one port more, which every reload changes.
 *
 * @module
 */
import { readdirSync, readFileSync } from "node:fs";
import { request } from "node:http";
import { createServer } from "node:net";
import { join } from "node:path";
import process from "node:process";
import { Program } from "../../support/program.ts";
import { findRuntime } from "../../support/runtimes.ts";
import { ROOT } from "../../support/source_files.ts";
import type { TemporaryFolder } from "../../support/temporary_folder.ts";

/** A running server. */
export interface ReloadedServer {
  readonly name: string;
  readonly ports: ServerPorts;
  /** Changes one port; resolves once the new configuration is in use. */
  reload(): Promise<void>;
  /** Starts a new process in its place; absent if a reload does that, or if the server cannot. */
  upgrade?(): Promise<void>;
  /** Resident memory of all its processes, in MB. */
  memoryMb(): number;
  stop(): Promise<void>;
}

/** TCP ports of 127.0.0.1. */
export interface ServerPorts {
  readonly http: number;
  readonly http2: number;
  readonly echo: number | undefined;
}

/** Requests for a reload that may be lost. */
const MAX_ATTEMPTS = 10;

/** The service on a runtime. The application runs in it. */
export async function startBerth(
  runtime: "Deno" | "Bun",
  folder: TemporaryFolder,
): Promise<ReloadedServer> {
  const [http = 0, http2 = 0, echo = 0, other = 0] = await freePorts(4);
  const socketPath = join(folder.path, "berth.sock");
  const app = join(ROOT, "tests/bench/programs/reload_app.ts");
  let reloads = 0;
  const config = () => {
    const others = [{ "8": "echo" }, { "8": ["log", "echo"] }, { "8": "echo", "9": "discard" }];
    const listen = {
      "7": "echo",
      "80": `http:${app}`,
      "81": `http2:${app}`,
      ...others[reloads % others.length],
    };
    const publish = { [http]: 80, [http2]: 81, [echo]: 7, [other]: 8 };
    return folder.write(
      "berth.json",
      JSON.stringify({
        listen,
        publish: Object.entries(publish).map(([host, port]) => `${host}=10.7.0.2:${port}`),
        admin: `unix:${socketPath}`,
        logLevel: "error",
      }),
    );
  };
  const run = runtime === "Deno" ? ["run", "-A"] : [];
  const command = [findRuntime(runtime).executable, ...run, "main.ts", "--config", config()];
  const program = new Program(command, ROOT);
  await program.printed(/Ctrl\+C/);
  return {
    name: `berth on ${runtime}`,
    ports: { http, http2, echo },
    reload() {
      reloads++;
      config();
      return post(socketPath, "/reload");
    },
    upgrade: () => post(socketPath, "/upgrade"),
    memoryMb: () => residentMb(processesWith(folder.path)),
    async stop() {
      // After an upgrade there are processes that the first one has not started.
      for (const pid of processesWith(folder.path)) process.kill(pid, "SIGTERM");
      await program.finish(10_000).catch(() => {});
    },
  };
}

/** Caddy, which has no TCP proxy of its own. */
export async function startCaddy(
  backend: { web: number },
  folder: TemporaryFolder,
): Promise<ReloadedServer> {
  const [http = 0, http2 = 0, other = 0] = await freePorts(3);
  let reloads = 0;
  const config = () =>
    folder.write(
      "Caddyfile",
      `{
  admin unix/${join(folder.path, "caddy.sock")}
  auto_https off
  servers {
    protocols h1 h2 h2c
  }
}
http://127.0.0.1:${http}, http://127.0.0.1:${http2} {
  @hello path /
  respond @hello hello
  reverse_proxy 127.0.0.1:${backend.web}
}
http://127.0.0.1:${other} {
  respond "reload ${reloads}"
}
`,
    );
  const options = ["--config", config(), "--adapter", "caddyfile"];
  const environment = ["env", `HOME=${folder.path}`, `XDG_DATA_HOME=${folder.path}`];
  const program = new Program([...environment, "caddy", "run", ...options], folder.path);
  await program.printed(/serving initial configuration/, "log");
  return {
    name: "Caddy",
    ports: { http, http2, echo: undefined },
    async reload() {
      reloads++;
      config();
      const address = `unix/${join(folder.path, "caddy.sock")}`;
      const command = [...environment, "caddy", "reload", ...options, "--address", address];
      const { exit, log } = await new Program(command, folder.path).ended;
      if (exit !== 0) throw new Error(log);
    },
    memoryMb: () => memoryMb(program.pid),
    stop: () => stop(program),
  };
}

/** HAProxy, whose master process starts a worker for each configuration. */
export async function startHaproxy(
  backend: { web: number; echo: number },
  folder: TemporaryFolder,
): Promise<ReloadedServer> {
  const [http = 0, http2 = 0, echo = 0, other = 0] = await freePorts(4);
  let reloads = 0;
  const config = () =>
    folder.write(
      "haproxy.cfg",
      `global
  maxconn 20000
  no strict-limits
defaults
  mode http
  timeout connect 5s
  timeout client 1h
  timeout server 1h
frontend web
  bind 127.0.0.1:${http}
  bind 127.0.0.1:${http2} proto h2
  http-request return status 200 content-type text/plain string hello if { path / }
  default_backend app
backend app
  server app 127.0.0.1:${backend.web}
listen echo
  mode tcp
  bind 127.0.0.1:${echo}
  server echo 127.0.0.1:${backend.echo}
frontend other
  bind 127.0.0.1:${other}
  http-request return status 200 content-type text/plain string reload-${reloads}
`,
    );
  const program = new Program(["haproxy", "-W", "-db", "-f", config()], folder.path);
  const ended = program.ended.then(({ exit, log }) => {
    throw new Error(`HAProxy ended with ${exit}: ${log.slice(-2000)}`);
  });
  ended.catch(() => {});
  const loaded = () => program.log.split("Loading success").length - 1;
  /** Whether the configuration of this number is in use within `limitMs`. */
  const isLoaded = async (number: number, limitMs: number) => {
    const until = performance.now() + limitMs;
    while (loaded() < number && performance.now() < until) {
      await Promise.race([sleep(10), ended]);
    }
    return loaded() >= number;
  };
  if (!await isLoaded(1, 10_000)) throw new Error(program.log);
  return {
    name: "HAProxy",
    ports: { http, http2, echo },
    async reload() {
      reloads++;
      config();
      const number = loaded() + 1;
      // The master process loses a signal that arrives shortly after its last reload.
      for (let attempt = 0; attempt < MAX_ATTEMPTS; attempt++) {
        program.signal("SIGUSR2");
        if (await isLoaded(number, 1000)) return;
      }
      throw new Error(`HAProxy does not reload: ${program.log.slice(-2000)}`);
    },
    memoryMb: () => memoryMb(program.pid),
    stop: () => stop(program),
  };
}

function sleep(ms: number): Promise<void> {
  return new Promise((resolve) => setTimeout(resolve, ms));
}

async function stop(program: Program): Promise<void> {
  program.signal("SIGTERM");
  await program.finish(10_000).catch(() => {});
}

export async function freePorts(count: number): Promise<number[]> {
  const servers = await Promise.all(Array.from({ length: count }, () => {
    const server = createServer();
    return new Promise<typeof server>((resolve) =>
      server.listen(0, "127.0.0.1", () => resolve(server))
    );
  }));
  const ports = servers.map((server) => (server.address() as { port: number }).port);
  await Promise.all(
    servers.map((server) => new Promise<void>((resolve) => server.close(() => resolve()))),
  );
  return ports;
}

/** Sends a POST request to the admin API; rejects unless it answers with 200. */
export function post(socketPath: string, path: string): Promise<void> {
  return ask("POST", socketPath, path);
}

/** Sends a request without a body to the admin API; rejects unless it answers with 200. */
export function ask(method: string, socketPath: string, path: string): Promise<void> {
  return new Promise((resolve, reject) => {
    request({ socketPath, method, path }, (response) => {
      const failure = new Error(`${path}: ${response.statusCode}`);
      response.resume().on("end", () => response.statusCode === 200 ? resolve() : reject(failure));
    }).on("error", reject).end();
  });
}

/** The resident memory of a process and of all that it started. */
export function memoryMb(pid: number): number {
  return residentMb([pid, ...childrenOf(pid)]);
}

/** The processes with a text among their arguments. */
function processesWith(text: string): number[] {
  const pids = readdirSync("/proc").map(Number).filter((pid) => pid > 0 && pid !== process.pid);
  return pids.filter((pid) => readProcess(pid, "cmdline").includes(text));
}

/** A file of a process in `/proc`; empty if the process has ended. */
function readProcess(pid: number, file: string): string {
  try {
    return readFileSync(`/proc/${pid}/${file}`, "utf8");
  } catch {
    return "";
  }
}

function residentMb(pids: readonly number[]): number {
  let kb = 0;
  for (const each of pids) {
    const status = readProcess(each, "status");
    kb += Number(/^VmRSS:\s*(\d+)/m.exec(status)?.[1] ?? 0);
  }
  return Math.round(kb / 102.4) / 10;
}

function childrenOf(pid: number): number[] {
  const children = readProcess(pid, `task/${pid}/children`).trim();
  const pids = children === "" ? [] : children.split(" ").map(Number);
  return pids.flatMap((child) => [child, ...childrenOf(child)]);
}
