/**
 * Checks Deno's permissions before anything is started, so that one message names all that are missing. Bun has no
 * permissions.
 *
 * @module
 */
import { dirname } from "node:path";
import { formatHostPort } from "../../../core/api/host_port.ts";
import { runtimeName } from "../../runtime/runtime.ts";
import { UsageError } from "../errors.ts";
import { MIDDLEWARE } from "../listen/middleware.ts";
import type { AdminSetting } from "../settings/admin_setting.ts";
import type { PluginSetting } from "../settings/listen_setting.ts";
import type { Settings } from "../settings/settings.ts";

const PERMISSIONS = ["net", "read", "write", "env", "sys", "ffi", "run"] as const;

/** A flag of `deno run` without its `--allow-`. */
export type Permission = (typeof PERMISSIONS)[number];

/** The scope of a permission: a host, a path, a variable, a kind of information or a program. */
export type Limit = Readonly<
  Partial<Record<"host" | "path" | "variable" | "kind" | "command", string>>
>;

/** The part of `Deno.permissions` that is used here. */
export interface Permissions {
  /** The state of a permission; does not prompt. */
  querySync(descriptor: { name: Permission } & Limit): { readonly state: string };
}

declare const Deno: { readonly permissions: Permissions };

/** Plugins that read no file, whatever their options. */
const WITHOUT_FILES: ReadonlySet<string> = new Set([
  ...["echo", "discard", "chargen", "daytime", "demo", "dns", "iperf3", "readyz"],
  ...["socks5", "connectProxy", "egress", "forward"],
  ...Object.keys(MIDDLEWARE),
]);

/** Plugins that open no connection. */
const WITHOUT_NET: ReadonlySet<string> = new Set([
  ...["echo", "discard", "chargen", "daytime", "demo", "iperf3", "files", "readyz"],
  ...Object.keys(MIDDLEWARE),
]);

/** Links that are kernel devices. */
const DEVICES: ReadonlySet<string> = new Set(["tun", "tap", "fd"]);

/** Permissions with their scopes; an empty list is the whole permission. */
export type Needs = ReadonlyMap<Permission, readonly Limit[]>;

/** The permissions that the service needs with these settings. */
export function permissionsFor(settings: Settings): Needs {
  const { tun, link, capture, workers, publish, peers, moves, admin, logFile, accessLogFile } =
    settings;
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
  // A worker gets a copy of the environment.
  need(workers > 1, "env");
  const file = capture === undefined || capture.file === "-" ? undefined : capture.file;
  for (const name of ["read", "write"] as const) {
    need(file !== undefined, name, [{ path: file! }]);
    need(plugins.some(namesUnixSocket) || JSON.stringify(link ?? "").includes("unix:"), name);
  }
  // Rotation renames the log file, so the folder is needed.
  for (const name of ["read", "write"] as const) {
    for (const log of [logFile, accessLogFile]) {
      need(log !== undefined, name, [{ path: dirname(log?.file ?? ".") }]);
    }
  }
  const hasTls = plugins.some(({ plugin }) => ["tls", "detect"].includes(nameOf(plugin)));
  // Each connection reaches the runtime's TLS through a Unix socket in the folder for temporary files.
  need(hasTls, "write");
  need(hasTls, "env", ["TMPDIR", "TMP", "TEMP"].map((variable) => ({ variable })));
  const socket = admin !== undefined && "path" in admin.listen ? admin.listen.path : undefined;
  for (const name of ["read", "write"] as const) {
    need(socket !== undefined, name, [{ path: dirname(socket ?? ".") }]);
  }
  // `--allow-net=HOST` cannot permit a Unix socket.
  need(socket !== undefined, "net");
  if (admin !== undefined && !("path" in admin.listen)) {
    need(true, "net", [{ host: formatHostPort(admin.listen) }]);
  }
  need(peers !== undefined, "net");
  need(peers !== undefined, "read", [{ path: peers?.secretFile ?? "." }]);
  // The service also connects to the services that its connections are moved to.
  need(moves !== undefined, "net");
  need(moves !== undefined, "read");
  need(moves !== undefined, "write");
  need(isDevice, "ffi");
  // The service compares its addresses with those of the host.
  need(isDevice, "sys", [{ kind: "networkInterfaces" }]);
  return needs;
}

/** The permissions for reading the configuration file. */
export function permissionsForFile(path: string): Needs {
  return new Map([["read", [{ path }]]]);
}

/** The permissions for sending requests to an admin API. */
export function permissionsForAdmin({ listen }: AdminSetting): Needs {
  if (!("path" in listen)) return new Map([["net", [{ host: formatHostPort(listen) }]]]);
  const { path } = listen;
  // A Unix socket has no host that could be permitted.
  return new Map([["net", []], ["read", [{ path }]], ["write", [{ path }]]]);
}

/** The permissions for writing the files of a new project. */
export function permissionsForProject(path: string): Needs {
  return new Map([["read", [{ path }]], ["write", [{ path }]]]);
}

function nameOf(plugin: string): string {
  return plugin.split(":")[0]!;
}

function namesUnixSocket({ plugin, options }: PluginSetting): boolean {
  return `${plugin} ${JSON.stringify(options ?? {})}`.includes("unix:");
}

/**
 * Checks that each permission is granted, as a whole or for all its scopes.
 *
 * @throws {UsageError} A permission is missing; the message has the flags to add.
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
  if (missing.length === 0) return;
  // Permissions that were granted may be needed for something else, such as the configuration file.
  const useful = PERMISSIONS.filter((name) => needs.has(name) || isGranted(name));
  throw missingPermissions(missing.map(([name]) => name), useful);
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
  useful: readonly Permission[],
): UsageError {
  const flags = (names: readonly Permission[]) => names.map((name) => `--allow-${name}`).join(" ");
  return new UsageError(
    `Deno was started without ${flags(missing)}: use deno run -A main.ts, or deno run ` +
      `${flags(useful)} main.ts`,
  );
}

/** Whether an error is a permission that Deno did not grant. */
export function isNotCapable(error: unknown): error is Error {
  return error instanceof Error && error.name === "NotCapable";
}
