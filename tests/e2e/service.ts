/**
 * The service on a TUN device in a namespace, as a user starts it.
 *
 * @module
 */
import { mkdtempSync, rmSync, writeFileSync } from "node:fs";
import { tmpdir } from "node:os";
import { join } from "node:path";
import { Namespace } from "../support/namespace.ts";
import { type Program, runtimeCommand } from "../support/program.ts";
import type { EchoClientOptions } from "./programs/echo_clients.ts";
import type { StackProgramOptions } from "./programs/stack.ts";

/** The stack's addresses; the kernel has the first of each subnet. */
export const V4 = "10.90.0.2";
export const V6 = "fd90::2";

/** Requirements of a test that uses only the service and these programs. */
export const NEEDS = ["tun", "program:ip", "program:nsenter"] as const;

/** Flags for two workers, even on two processors, because these tests measure nothing. */
export const TWO_WORKERS = ["--workers", "2", "--all-processors", "on"] as const;

const APP = "http:./tests/e2e/programs/app.ts";

/** The flags of every service here, followed by more. */
export function serviceCommand(...flags: readonly string[]): string[] {
  const device = ["--tun", "berth0", "--address", `${V4}/24`, "--address", `${V6}/64`];
  const ports = ["--listen", "7=echo", "--listen", `80=${APP}`];
  return runtimeCommand("main.ts", ...device, ...ports, "--log-level", "warn", ...flags);
}

/** Starts the service; resolves when it is ready. */
export async function startService(
  namespace: Namespace,
  ...flags: readonly string[]
): Promise<Program> {
  const service = namespace.start(...serviceCommand(...flags));
  await service.printed(/Ctrl\+C/);
  return service;
}

/** Runs a body with a service in a namespace of its own; it must not log warnings or errors. */
export async function withService(
  body: (namespace: Namespace, service: Program) => Promise<void>,
  ...flags: readonly string[]
): Promise<void> {
  await using namespace = await Namespace.open();
  const service = await startService(namespace, ...flags);
  await body(namespace, service);
  service.signal("SIGTERM");
  await endsWell(service);
}

/** {@link withService} with a configuration file. */
export async function withConfiguredService(
  config: Readonly<Record<string, unknown>>,
  body: (namespace: Namespace, service: Program) => Promise<void>,
): Promise<void> {
  const folder = mkdtempSync(join(tmpdir(), "berth-config-"));
  const path = join(folder, "berth.json");
  writeFileSync(path, JSON.stringify(config));
  try {
    await withService(body, "--config", path);
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Runs a body with `programs/stack.ts` in a namespace of its own. */
export async function withStack(
  options: StackProgramOptions,
  body: (namespace: Namespace) => Promise<void>,
): Promise<void> {
  await using namespace = await Namespace.open();
  const stack = namespace.start(...programCommand("stack.ts", JSON.stringify(options)));
  await stack.printed(/ready/);
  await body(namespace);
  stack.hush();
  await endsWell(stack);
}

/** Runs a body with `programs/datagram_stack.ts`; resolves with the stack's counters. */
export async function withDatagramStack(
  body: (namespace: Namespace) => Promise<void>,
): Promise<Record<string, number>> {
  await using namespace = await Namespace.open();
  const stack = namespace.start(...programCommand("datagram_stack.ts"));
  await stack.printed(/^ready\n/);
  await body(namespace);
  stack.hush();
  const { exit, out, log } = await stack.finish(10_000);
  if (exit !== 0 || log !== "") throw new Error(`the stack ended with ${exit}: ${log}`);
  return JSON.parse(out.replace(/^ready\n/, ""));
}

async function endsWell(program: Program): Promise<void> {
  const { exit, log } = await program.finish(10_000);
  if (exit !== 0 || log !== "") throw new Error(`the stack ended with ${exit}: ${log}`);
}

/** The command that runs one of the programs here. */
export function programCommand(name: string, ...args: readonly string[]): string[] {
  return runtimeCommand(`tests/e2e/programs/${name}`, ...args);
}

/** Runs `programs/echo_clients.ts`; resolves with what it printed. */
export function runEchoClients(
  namespace: Namespace,
  options: Partial<EchoClientOptions>,
  limitMs: number,
): Promise<string> {
  const all: EchoClientOptions = {
    host: V4,
    port: 7,
    connections: 1,
    atOnce: 1,
    least: 0,
    most: 0,
    ...options,
  };
  return namespace.run(programCommand("echo_clients.ts", JSON.stringify(all)), limitMs);
}
