/**
 * Flags, configuration file and defaults as one.
 *
 * @module
 */
import { Subnet } from "../../core/wire/address.ts";
import { UsageError } from "./errors.ts";
import { completeHostAddresses } from "./host_addresses.ts";
import { defaultMtu } from "./links.ts";
import {
  DEFAULTS,
  type ListenSetting,
  type PartialSettings,
  type PublishSetting,
  type Settings,
} from "./settings.ts";

/** What the memory link has where nothing is said. */
const MEMORY_ADDRESSES = ["10.7.0.2/24", "fd07::2/64"];

const IPV6_LEAST_MTU = 1280;

/** Ports that a host gives to privileged users only end below this. */
const FIRST_FREE_PORT = 1024;
/** Where they are found on the host without a privilege: 80 as 8080, 7 as 8007. */
const PRIVILEGED_OFFSET = 8000;

/**
 * A flag that can be given once comes before what the file says; a flag that can be repeated adds
 * to it, `--listen` takes its port from the file. Where nothing is listened on the demo is; without
 * a device every port is published on the host unless it is said what is.
 *
 * @throws {UsageError} What was said contradicts itself or cannot work.
 */
export function mergeSettings(flags: PartialSettings, file: PartialSettings): Settings {
  const said = { ...defined(file), ...defined(flags) };
  const mtu = said.mtu ?? (said.link && defaultMtu(said.link)) ?? DEFAULTS.mtu;
  const merged = { ...DEFAULTS, ...said, mtu };
  const onMemory = merged.tun === undefined && merged.link === undefined;
  checkLink(merged);
  checkWorkers(merged.workers, merged.tun);
  const given = mergeListen(flags.listen ?? [], file.listen ?? []);
  const listen = given.length > 0 ? given : demoPorts();
  const addresses = addressesFor(onMemory, both("addresses", flags, file));
  requireMtu(merged.mtu, addresses);
  return {
    ...merged,
    addresses,
    hostAddresses: completeHostAddresses(addresses, both("hostAddresses", flags, file)),
    listen,
    publish: publishFor(onMemory, addresses, listen, both("publish", flags, file)),
  };
}

/** One stack is on one link. */
function checkLink({ tun, link }: Pick<Settings, "tun" | "link">): void {
  if (tun === undefined || link === undefined) return;
  throw new UsageError("--tun and --link exclude each other: name one of them");
}

/** The memory link has one end here and one there, and no queues to spread packets over. */
function checkWorkers(workers: number, tun: string | undefined): void {
  if (workers === 1 || tun !== undefined) return;
  throw new UsageError(
    `--workers ${workers} needs --tun NAME: each worker reads a queue of a device, and without one ` +
      "the service runs on a link in memory that has none",
  );
}

function defined(settings: PartialSettings): Partial<Settings> {
  const entries = Object.entries(settings).filter(([, value]) => value !== undefined);
  return Object.fromEntries(entries);
}

function both<Key extends "addresses" | "hostAddresses" | "publish">(
  key: Key,
  flags: PartialSettings,
  file: PartialSettings,
): Settings[Key][number][] {
  return [...file[key] ?? [], ...flags[key] ?? []];
}

function mergeListen(
  flags: readonly ListenSetting[],
  file: readonly ListenSetting[],
): ListenSetting[] {
  const byPort = new Map(file.map((setting) => [setting.port, setting]));
  const taken = new Set<number>();
  for (const setting of flags) {
    if (taken.has(setting.port)) {
      throw new UsageError(`${setting.source}: the port is given twice`);
    }
    taken.add(setting.port);
    byPort.set(setting.port, setting);
  }
  return [...byPort.values()];
}

function addressesFor(onMemory: boolean, given: readonly string[]): readonly string[] {
  if (given.length > 0) return given;
  if (onMemory) return MEMORY_ADDRESSES;
  throw new UsageError("--tun and --link need at least one --address, such as 10.7.0.2/24");
}

function requireMtu(mtu: number, addresses: readonly string[]): void {
  const v6 = addresses.find((address) => address.includes(":"));
  if (mtu >= IPV6_LEAST_MTU || v6 === undefined) return;
  throw new UsageError(
    `the MTU is ${mtu}, but ${v6} needs at least ${IPV6_LEAST_MTU} (RFC 8200 5)`,
  );
}

function demoPorts(): ListenSetting[] {
  const source = "the demo";
  return [
    { port: 80, plugin: "demo", folder: ".", source },
    { port: 7, plugin: "echo", folder: ".", source },
  ];
}

function publishFor(
  onMemory: boolean,
  addresses: readonly string[],
  listen: readonly ListenSetting[],
  given: readonly PublishSetting[],
): readonly PublishSetting[] {
  if (given.length > 0 || !onMemory) return given;
  const hostname = Subnet.parse(addresses[0]!)!.address.toString();
  return listen.map(({ port }) => ({
    hostname: "127.0.0.1",
    port: port < FIRST_FREE_PORT ? port + PRIVILEGED_OFFSET : port,
    to: { hostname, port },
    orNextFree: true,
  }));
}
