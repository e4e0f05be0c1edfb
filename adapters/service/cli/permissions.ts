/**
 * What Deno has to allow, asked for before it is used: nothing is left half started, and nobody is
 * prompted for one thing after the other. Bun allows everything.
 *
 * @module
 */
import { formatHostPort } from "../../../core/api/host_port.ts";
import { runtimeName } from "../../runtime/runtime.ts";
import { UsageError } from "../errors.ts";
import { MIDDLEWARE } from "../listen/middleware.ts";
import type { PluginSetting } from "../settings/listen_setting.ts";
import type { Settings } from "../settings/settings.ts";

/** A flag of `deno run` without its `--allow-`. */
export type Permission = "net" | "read" | "write" | "env" | "sys" | "ffi";

/** What a permission may be limited to: one of a kind. */
export type Limit = Readonly<Partial<Record<"host" | "path" | "variable", string>>>;

/** The part of `Deno.permissions` that is needed here. */
export interface Permissions {
  /** Looks, without prompting. */
  querySync(descriptor: { name: Permission } & Limit): { readonly state: string };
}

declare const Deno: { readonly permissions: Permissions };

/** Plugins that read no file, whatever they are told. */
const WITHOUT_FILES: ReadonlySet<string> = new Set([
  ...["echo", "discard", "chargen", "daytime", "demo", "dns", "iperf3"],
  ...["socks5", "connectProxy", "egress", "forward"],
  ...Object.keys(MIDDLEWARE),
]);

/** Plugins that open no connection to anywhere. */
const WITHOUT_NET: ReadonlySet<string> = new Set([
  ...["echo", "discard", "chargen", "daytime", "demo", "iperf3", "files"],
  ...Object.keys(MIDDLEWARE),
]);

/** Links that are devices of the kernel's. */
const DEVICES: ReadonlySet<string> = new Set(["tun", "tap", "fd"]);

/** Permissions, each with what has to be allowed of it at least, as far as it is known. */
export type Needs = ReadonlyMap<Permission, readonly Limit[]>;

/** What the service needs for what it is told. */
export function permissionsFor(settings: Settings): Needs {
  const { tun, link, capture, workers, publish } = settings;
  const plugins = settings.listen.flatMap((each) => [...each.before ?? [], each]);
  const needs = new Map<Permission, Limit[]>();
  const need = (when: boolean, permission: Permission, limits: Limit[] = []) => {
    if (when) needs.set(permission, [...needs.get(permission) ?? [], ...limits]);
  };
  const isDevice = tun !== undefined || (link !== undefined && DEVICES.has(link.kind));
  const dials = plugins.some(({ plugin }) => !WITHOUT_NET.has(nameOf(plugin)));
  need(dials || (link !== undefined && !isDevice), "net");
  need(publish.length > 0, "net", publish.map((port) => ({ host: formatHostPort(port) })));
  const reading = plugins.filter(({ plugin }) => !WITHOUT_FILES.has(nameOf(plugin)));
  need(reading.length > 0, "read", reading.map(({ folder }) => ({ path: folder })));
  need(workers > 1, "read");
  // Threads get a copy of the environment.
  need(workers > 1, "env");
  const file = capture === undefined || capture.file === "-" ? undefined : capture.file;
  for (const name of ["read", "write"] as const) {
    need(file !== undefined, name, [{ path: file! }]);
    need(plugins.some(namesUnixSocket) || JSON.stringify(link ?? "").includes("unix:"), name);
  }
  // Each connection joins the runtime's TLS through a Unix socket in the folder for such things.
  const hasTls = plugins.some(({ plugin }) => ["tls", "detect"].includes(nameOf(plugin)));
  need(hasTls, "write");
  need(hasTls, "env", ["TMPDIR", "TMP", "TEMP"].map((variable) => ({ variable })));
  need(isDevice, "ffi");
  return needs;
}

/** What the configuration file needs before it is read. */
export function permissionsForFile(path: string): Needs {
  return new Map([["read", [{ path }]]]);
}

function nameOf(plugin: string): string {
  return plugin.split(":")[0]!;
}

function namesUnixSocket({ plugin, options }: PluginSetting): boolean {
  return `${plugin} ${JSON.stringify(options ?? {})}`.includes("unix:");
}

/**
 * Makes sure of what is needed: each permission as a whole, or for what is known of it.
 *
 * @throws {UsageError} Something is missing; the message has the flags to give.
 */
export function requirePermissions(
  needs: Needs,
  permissions: Permissions | undefined = ownPermissions(),
): void {
  if (permissions === undefined) return;
  const isGranted = (name: Permission, limit: Limit = {}) =>
    permissions.querySync({ name, ...limit }).state === "granted";
  const missing = [...needs].filter(([name, limits]) =>
    !isGranted(name) && !(limits.length > 0 && limits.every((limit) => isGranted(name, limit)))
  );
  if (missing.length > 0) {
    throw missingPermissions(missing.map(([name]) => name), [...needs.keys()]);
  }
}

/** Whether a file may be read without a prompt. */
export function mayRead(path: string): boolean {
  return ownPermissions()?.querySync({ name: "read", path }).state !== "prompt";
}

function ownPermissions(): Permissions | undefined {
  return runtimeName() === "deno" ? Deno.permissions : undefined;
}

function missingPermissions(
  missing: readonly Permission[],
  needed: readonly Permission[],
): UsageError {
  const flags = (names: readonly Permission[]) => names.map((name) => `--allow-${name}`).join(" ");
  return new UsageError(
    `Deno was started without ${flags(missing)}: use deno run -A main.ts, or deno run ` +
      `${flags(needed)} main.ts`,
  );
}

/** Whether an error says that Deno does not allow something. */
export function isNotCapable(error: unknown): error is Error {
  return error instanceof Error && error.name === "NotCapable";
}
