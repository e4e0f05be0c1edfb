/**
 * The changes that a reload can and cannot make.
 *
 * @module
 */
import { isDeepStrictEqual } from "node:util";
import { Subnet } from "../../../core/wire/address.ts";
import { UsageError } from "../errors.ts";
import { isThroughKernel } from "../links/table.ts";
import type { SettingKey, Settings } from "../settings/settings.ts";
import { COMMON_SETTINGS } from "../upgrade/inheritance.ts";

/** The changes of a reload. They can be sent to another thread. */
export interface Changes {
  /** Listen addresses that were added, removed, or got other plugins. */
  readonly listen: Difference & { readonly changed: readonly string[] };
  /** Ports of the host that were opened, closed, or lead to another address. */
  readonly publish: Difference & { readonly changed: readonly string[] };
  /** Addresses of the stack. */
  readonly addresses: Difference;
  /** Other settings that have changed. */
  readonly settings: readonly string[];
  /** Number of connections and flows that continue with handlers that were replaced or removed. */
  readonly running: number;
  /** Milliseconds after which these connections are asked to end, or `"never"`; the setting of the same name. */
  readonly reloadGraceMs: Settings["reloadGraceMs"];
}

/** What was added and removed. */
export interface Difference {
  readonly added: readonly string[];
  readonly removed: readonly string[];
}

/** Changeable settings other than listen addresses, ports and addresses. */
const OTHER_SETTINGS = [
  "allProcessors",
  "metrics",
  "logLevel",
  "logFormat",
  "lameDuckMs",
  "graceMs",
  "reloadGraceMs",
  "reloadMoves",
  "upgradeGraceMs",
  "upgradeMoves",
  "peers",
] as const;

/** Settings that can be changed while the service runs. */
const CHANGEABLE: ReadonlySet<SettingKey> = new Set<SettingKey>([
  "addresses",
  "hostAddresses",
  "listen",
  "publish",
  ...OTHER_SETTINGS,
]);

/** Settings that only a restart can change; an upgrade cannot change them either. */
const FIXED: ReadonlySet<string> = new Set([...COMMON_SETTINGS, "capture"]);

/**
 * Checks that a reload can change one configuration to another.
 *
 * @throws {UsageError} A running service cannot change one of the settings; the message has a line for each.
 */
export function requireChangeable(now: Settings, next: Settings): void {
  const keys = new Set([...Object.keys(now), ...Object.keys(next)] as SettingKey[]);
  const faults = [...keys]
    .filter((key) => !CHANGEABLE.has(key) && !isDeepStrictEqual(now[key], next[key]))
    .map((key) => cannotChange(key, now[key], next[key]));
  const peers = peersFault(now.peers, next.peers);
  if (peers !== undefined) faults.push(peers);
  const addresses = addressFault(now, next);
  if (addresses !== undefined) faults.push(addresses);
  if (faults.length > 0) throw new UsageError(faults.join("\n"));
}

function cannotChange(key: SettingKey, now: unknown, next: unknown): string {
  const isPlain = [now, next].every((value) => typeof value !== "object");
  const change = isPlain
    ? `${key}: ${now ?? "none"} cannot become ${next ?? "none"}`
    : `${key} cannot change`;
  return `${change} in a reload: ${FIXED.has(key) ? "restart" : "upgrade or restart"} the service`;
}

/** Checks `peers`: the members may change, but not the identity of this instance. */
function peersFault(now: Settings["peers"], next: Settings["peers"]): string | undefined {
  if ((now === undefined) !== (next === undefined)) return cannotChange("peers", now, next);
  const { members: _, ...before } = now ?? {};
  const { members: __, ...after } = next ?? {};
  if (isDeepStrictEqual(before, after)) return undefined;
  return "peers: only members can change in a reload: restart the service";
}

/** Checks the addresses. Without a device or link there is no host whose routes would have to change. */
function addressFault(now: Settings, next: Settings): string | undefined {
  const { added, removed } = differenceOf(now.addresses, next.addresses);
  const isAll = [...added, ...removed].some((text) => Subnet.parse(text)?.prefixLength === 0);
  if (next.tun === undefined && next.link === undefined) {
    return isAll
      ? "addresses: an IP version cannot be added or removed in a reload: upgrade or restart the service"
      : undefined;
  }
  if (!isDeepStrictEqual(now.hostAddresses, next.hostAddresses)) {
    return "hostAddresses: those of the device cannot change in a reload, from " +
      `${now.hostAddresses.join(", ")} to ${
        next.hostAddresses.join(", ")
      } (by default they follow ` +
      "addresses): restart the service";
  }
  const isKernel = next.link === undefined || isThroughKernel(next.link);
  if (isKernel || added.length + removed.length === 0) return undefined;
  return `addresses: the link ${
    next.link!.kind
  } announces them from its start on: restart the service`;
}

/** What is only in one of two lists. */
export function differenceOf(now: readonly string[], next: readonly string[]): Difference {
  return {
    added: next.filter((each) => !now.includes(each)),
    removed: now.filter((each) => !next.includes(each)),
  };
}

/** The names of {@link OTHER_SETTINGS} that differ. */
export function otherChanges(now: Settings, next: Settings): string[] {
  return OTHER_SETTINGS.filter((key) => !isDeepStrictEqual(now[key], next[key]));
}

/** The changes of several threads, all of which have made the same changes. */
export function sumChanges([first, ...others]: readonly [Changes, ...Changes[]]): Changes {
  return { ...first, running: others.reduce((sum, { running }) => sum + running, first.running) };
}

/** The changes as fields of a log line; without empty fields. */
export function changeFields(
  { listen, publish, addresses, settings, running }: Changes,
): Readonly<Record<string, unknown>> {
  const text = (list: readonly string[]) => list.length > 0 ? list.join(",") : undefined;
  return {
    added: text(listen.added),
    changed: text(listen.changed),
    removed: text(listen.removed),
    published: text(publish.added),
    redirected: text(publish.changed),
    unpublished: text(publish.removed),
    newAddresses: text(addresses.added),
    oldAddresses: text(addresses.removed),
    settings: text(settings),
    running,
  };
}

/** What happens to the connections that continue with earlier handlers; `undefined` if there are none. */
export function fateOf({ running, reloadGraceMs }: Changes): string | undefined {
  if (running === 0) return undefined;
  return reloadGraceMs === "never" ? "continue until they end" : `have ${reloadGraceMs} ms`;
}

/** Whether nothing has changed. */
export function isUnchanged(changes: Changes): boolean {
  const { running: _, ...rest } = changeFields(changes);
  return Object.values(rest).every((value) => value === undefined);
}
