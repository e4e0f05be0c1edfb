/**
 * Flags, configuration file and defaults as one.
 *
 * @module
 */
import { Subnet } from "../../core/wire/address.ts";
import { UsageError } from "./errors.ts";
import { completeHostAddresses } from "./host_addresses.ts";
import {
  DEFAULTS,
  type ListenSetting,
  type PartialSettings,
  type PublishSetting,
  type Settings,
} from "./settings.ts";

/** What the memory link has where nothing is said. */
const MEMORY_ADDRESSES = ["10.7.0.2/24", "fd07::2/64"];

/** Where the demo is found, on the host. */
const DEMO_PORT = 8080;
const DEMO_ECHO_PORT = 7007;

/**
 * A flag that can be given once comes before what the file says; a flag that can be repeated adds
 * to it, `--listen` takes its port from the file. Where nothing is listened on the demo is; without
 * a device it is published on the host.
 *
 * @throws {UsageError} What was said contradicts itself or cannot work.
 */
export function mergeSettings(flags: PartialSettings, file: PartialSettings): Settings {
  const merged = { ...DEFAULTS, ...defined(file), ...defined(flags) };
  const listen = mergeListen(flags.listen ?? [], file.listen ?? []);
  const addresses = addressesFor(merged.tun, both("addresses", flags, file));
  return {
    ...merged,
    addresses,
    hostAddresses: completeHostAddresses(addresses, both("hostAddresses", flags, file)),
    listen: listen.length > 0 ? listen : demoPorts(),
    publish: publishFor(merged.tun, addresses, listen, both("publish", flags, file)),
  };
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

function addressesFor(tun: string | undefined, given: readonly string[]): readonly string[] {
  if (given.length > 0) return given;
  if (tun === undefined) return MEMORY_ADDRESSES;
  throw new UsageError("--tun needs at least one --address, such as 10.7.0.2/24");
}

function demoPorts(): ListenSetting[] {
  const source = "the demo";
  return [
    { port: 80, plugin: "demo", folder: ".", source },
    { port: 7, plugin: "echo", folder: ".", source },
  ];
}

function publishFor(
  tun: string | undefined,
  addresses: readonly string[],
  listen: readonly ListenSetting[],
  given: readonly PublishSetting[],
): readonly PublishSetting[] {
  if (given.length > 0 || tun !== undefined) return given;
  const hostname = Subnet.parse(addresses[0]!)!.address.toString();
  if (listen[0]) {
    const { port } = listen[0];
    const target = hostname.includes(":") ? `[${hostname}]` : hostname;
    throw new UsageError(
      "Nothing could reach the stack: add --tun NAME, or publish a port of the host, " +
        `such as --publish 8080=${target}:${port}`,
    );
  }
  return [
    { hostname: "127.0.0.1", port: DEMO_PORT, to: { hostname, port: 80 }, orNextFree: true },
    { hostname: "127.0.0.1", port: DEMO_ECHO_PORT, to: { hostname, port: 7 }, orNextFree: true },
  ];
}
