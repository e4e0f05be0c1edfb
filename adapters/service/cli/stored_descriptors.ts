/**
 * Descriptors that the service manager keeps while the service restarts (sd_listen_fds(3)).
 *
 * @module
 */
import process from "node:process";
import { runtimeName } from "../../runtime/runtime.ts";
import { requirePermissions } from "./permissions.ts";

/** The first descriptor. */
const FIRST = 3;

/** The variables that the service manager sets. */
const VARIABLES = ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES"] as const;

/** Variables by name; one that is not set is absent. */
export type ListenEnvironment = Readonly<Partial<Record<typeof VARIABLES[number], string>>>;

/** The descriptors by name, in order. Descriptors for another process are ignored. */
export function storedDescriptors(
  environment: ListenEnvironment = ownEnvironment(),
  own: number = process.pid,
): ReadonlyMap<string, readonly number[]> {
  const { LISTEN_PID: pid, LISTEN_FDS: count, LISTEN_FDNAMES: names = "" } = environment;
  const stored = new Map<string, number[]>();
  if (Number(pid) !== own || !/^\d{1,4}$/.test(count ?? "")) return stored;
  for (const [i, name] of names.split(":").slice(0, Number(count)).entries()) {
    stored.set(name, [...stored.get(name) ?? [], FIRST + i]);
  }
  return stored;
}

/** The name under which the queues of a device are stored. */
export function storedNameOf(device: string): string {
  return `tun-${device}`;
}

/** A variable that Deno does not permit to be read counts as not set. */
function ownEnvironment(): ListenEnvironment {
  if (runtimeName() === "deno") {
    try {
      requirePermissions(new Map([["env", VARIABLES.map((variable) => ({ variable }))]]));
    } catch {
      return {};
    }
  }
  return Object.fromEntries(
    VARIABLES.map((name) => [name, process.env[name]] as const).filter(([, value]) => value),
  );
}
