/**
 * Merges flags, configuration file and defaults.
 *
 * @module
 */
import { possibleKeepAlive } from "../../../plugins/shared/dial.ts";
import { UsageError } from "../errors.ts";
import { completeHostAddresses } from "../links/host_addresses.ts";
import { ownAddresses } from "../links/own_addresses.ts";
import { defaultMtu } from "../links/table.ts";
import { publishAll } from "../publish/publish_all.ts";
import type { ListenSetting } from "./listen_setting.ts";
import { isStackPublish, type StackPublishSetting } from "./publish_setting.ts";
import { type PartialSettings, type SettingKey, SETTINGS, type Settings } from "./settings.ts";

/** Default addresses on the memory link. */
const MEMORY_ADDRESSES = ["10.7.0.2/24", "fd07::2/64"];

const MIN_IPV6_MTU = 1280;

/** The defaults of the table; a setting that can be repeated has none. */
const DEFAULTS = Object.fromEntries(
  (Object.keys(SETTINGS) as SettingKey[]).map((key) => {
    const setting = SETTINGS[key];
    return [key, setting.repeatable ? [] : setting.default];
  }),
) as unknown as Settings;

/**
 * Merges the settings. A flag overrides the file; a repeatable flag adds to it, and `--listen` replaces the file's
 * entry for the same listen address. Without any listen address the demo is served; on the memory link every single
 * port is published unless `publish` is set.
 *
 * @throws {UsageError} Settings contradict each other or cannot work together.
 */
export function mergeSettings(flags: PartialSettings, file: PartialSettings): Settings {
  const values = { ...defined(file), ...defined(flags) };
  const mtu = values.mtu ?? (values.link && defaultMtu(values.link)) ?? DEFAULTS.mtu;
  const merged = { ...DEFAULTS, ...values, mtu };
  const onMemory = merged.tun === undefined && merged.link === undefined;
  checkLink(merged);
  checkWorkers(merged);
  checkMetrics(merged);
  checkPeers(merged);
  checkMoves(merged);
  const publish = both("publish", flags, file);
  const given = publish.flatMap((each) => isStackPublish(each) ? [] : [each]);
  const said = [
    ...mergeListen(flags.listen ?? [], file.listen ?? []),
    ...publish.filter(isStackPublish).map((each) => forwarded(each, merged.keepAliveMs)),
  ];
  byPlace(said);
  const listen = said.length > 0 ? said : demoPorts();
  const addresses = addressesFor(onMemory, both("addresses", flags, file));
  const exceptAddresses = both("exceptAddresses", flags, file);
  const hostAddresses = completeHostAddresses(addresses, both("hostAddresses", flags, file));
  requireMtu(merged.mtu, addresses);
  return {
    ...merged,
    addresses,
    hostAddresses,
    exceptAddresses,
    listen,
    publish: given.length > 0 || !onMemory
      ? given
      : publishAll(listen, ownAddresses({ addresses, hostAddresses, exceptAddresses })),
  };
}

/** Checks that there is only one link. */
function checkLink({ tun, link }: Pick<Settings, "tun" | "link">): void {
  if (tun === undefined || link === undefined) return;
  throw new UsageError(
    "--tun and --link cannot be used together, because a stack has one link: remove one of them",
  );
}

/** Checks that there is an admin API, which serves the metrics. */
function checkMetrics({ metrics, admin }: Pick<Settings, "metrics" | "admin">): void {
  if (!metrics || admin !== undefined) return;
  throw new UsageError(
    "--metrics on needs --admin, whose route /metrics serves them: add --admin unix:/run/berth.sock",
  );
}

/**
 * Checks the settings that workers exclude or need. Each worker needs a queue of a device; the memory link has none.
 */
function checkWorkers({ workers, tun, capture, impair }: Omit<Settings, "listen">): void {
  if (workers === 1) return;
  if (capture !== undefined || impair !== undefined) {
    throw new UsageError(
      `--workers ${workers} cannot be used with --capture or --impair, because the workers can share neither a ` +
        "file nor a bandwidth limit: remove --workers, or start captures and impairments with the admin API",
    );
  }
  if (tun !== undefined) return;
  throw new UsageError(
    `--workers ${workers} needs a device, of which each worker reads a queue: add --tun NAME, or remove --workers`,
  );
}

/**
 * Checks the settings that peers need: a link that other machines can send to, and keep-alive, because the timestamps
 * of a connection identify its instance only for a limited time.
 */
function checkPeers(
  { peers, tun, link, keepAliveMs }: Omit<Settings, "listen">,
): void {
  if (peers === undefined) return;
  if (tun === undefined && link === undefined) {
    throw new UsageError("peers: the memory link connects no other machines: use --tun or --link");
  }
  if (keepAliveMs > 0 && keepAliveMs <= MAX_PEERS_KEEP_ALIVE) return;
  throw new UsageError(
    `keepAliveMs: expected 1 to ${MAX_PEERS_KEEP_ALIVE} with peers, got ${keepAliveMs}: after ` +
      "a longer silence a segment does not identify its instance",
  );
}

/** Checks that a service that moves connections has one thread, because each worker has its own connections. */
function checkMoves({ moves, workers }: Omit<Settings, "listen">): void {
  if (moves === undefined || workers === 1) return;
  throw new UsageError(
    "moves: connections of a service with several workers cannot move: instead of " +
      `--workers ${workers} run ${workers} instances with one worker each`,
  );
}

/** Twelve hours. Unanswered probes follow this time. */
const MAX_PEERS_KEEP_ALIVE = 43_200_000;

function defined(settings: PartialSettings): Partial<Settings> {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

/** The listen setting for a port of the stack that leads to the host: `forward` serves it. */
function forwarded(
  { where, targets }: StackPublishSetting,
  keepAliveMs: number,
): ListenSetting {
  const source = `--publish stack/${where}`;
  const options = { keepAliveMs: possibleKeepAlive(keepAliveMs) };
  return { where, plugin: `forward:${targets}`, options, folder: ".", source };
}

function both<Key extends "addresses" | "hostAddresses" | "exceptAddresses" | "publish">(
  key: Key,
  flags: PartialSettings,
  file: PartialSettings,
): NonNullable<PartialSettings[Key]>[number][] {
  return [...file[key] ?? [], ...flags[key] ?? []];
}

function mergeListen(
  flags: readonly ListenSetting[],
  file: readonly ListenSetting[],
): ListenSetting[] {
  return [...new Map([...byPlace(file), ...byPlace(flags)]).values()];
}

function byPlace(listen: readonly ListenSetting[]): Map<string, ListenSetting> {
  const settings = new Map<string, ListenSetting>();
  for (const setting of listen) {
    if (settings.has(setting.where)) {
      throw new UsageError(
        `${setting.source}: this listen address is given twice: remove one of them`,
      );
    }
    settings.set(setting.where, setting);
  }
  return settings;
}

function addressesFor(onMemory: boolean, given: readonly string[]): readonly string[] {
  if (given.length > 0) return given;
  if (onMemory) return MEMORY_ADDRESSES;
  throw new UsageError("--tun and --link need at least one --address, such as 10.7.0.2/24");
}

function requireMtu(mtu: number, addresses: readonly string[]): void {
  const v6 = addresses.find((address) => address.includes(":"));
  if (mtu >= MIN_IPV6_MTU || v6 === undefined) return;
  throw new UsageError(
    `--mtu: expected at least ${MIN_IPV6_MTU} for the IPv6 address ${v6} (RFC 8200 5), got ${mtu}`,
  );
}

function demoPorts(): ListenSetting[] {
  const source = "the demo";
  return [
    { where: "80", plugin: "demo", folder: ".", source },
    { where: "7", plugin: "echo", folder: ".", source },
  ];
}
