import { Subnet } from "../../../core/wire/address.ts";
import type { DeviceOptions } from "./device.ts";
import { TunError } from "./error.ts";
import { IFNAMSIZ } from "./linux.ts";

/** What {@link openTun} and {@link openTap} take. */
export interface TunOptions {
  /** The device's name; `%d` in it becomes the first free number. Default `"tun%d"` or `"tap%d"`. */
  name?: string;
  /**
   * A descriptor that is a device already, opened by whoever started this process, such as systemd
   * or a helper with the privilege; this process needs none. It is closed with the link. The device
   * has its name, addresses and queue from there; `mtu` is what it has, default that of the device
   * of its name in this process's network namespace, or 1500.
   */
  fd?: number;
  /** The kernel's own addresses on this device with their subnets, such as `"10.7.0.1/24"`. */
  addresses?: readonly string[];
  /** Largest IP packet in bytes, 68 to 65535; 1280 at least for IPv6. Default 1500, or as it is. */
  mtu?: number;
  /** Super-packets and checksums left to the kernel, where it can do that. Default true. */
  offload?: boolean;
  /** Packets that the kernel keeps for this program, at most. Default 5000, or as it is. */
  queueLength?: number;
}

/**
 * What a user wrote, checked.
 *
 * @throws {TunError} Something cannot be.
 */
export function parseTunOptions(options: TunOptions, frameHeader = 0): DeviceOptions {
  const {
    name = frameHeader > 0 ? "tap%d" : "tun%d",
    mtu,
    queueLength,
    offload = true,
    addresses = [],
  } = options;
  checkName(name);
  checkRange("mtu", mtu, 68, 65_535);
  checkRange("queueLength", queueLength, 1, 1_000_000);
  return { name, addresses: addresses.map(parseSubnet), mtu, queueLength, offload, frameHeader };
}

/**
 * The descriptor that a user wrote, with nothing beside it that it excludes.
 *
 * @throws {TunError} Something cannot be.
 */
export function parseFd(options: TunOptions): number | undefined {
  const { fd, name, addresses = [], queueLength } = options;
  if (fd === undefined) return undefined;
  checkRange("fd", fd, 0, 2 ** 31 - 1);
  if (name === undefined && addresses.length === 0 && queueLength === undefined) return fd;
  throw new TunError(
    "BAD_OPTION",
    "fd names a device that is there already: whoever made it sets name, addresses and queueLength",
  );
}

function checkName(name: string): void {
  const isGood = /^[\w.-]*(%d[\w.-]*)?$/.test(name) && !/^\.{0,2}$/.test(name) &&
    name.length < IFNAMSIZ;
  if (isGood) return;
  throw new TunError(
    "BAD_NAME",
    `"${name}" is not a name for a device: use 1 to 15 letters, digits, "_", "-" and ".", ` +
      "such as tun0 or tun%d",
  );
}

function checkRange(
  option: string,
  value: number | undefined,
  least: number,
  most: number,
): void {
  if (value === undefined || (Number.isInteger(value) && value >= least && value <= most)) return;
  throw new TunError(
    "BAD_OPTION",
    `${option} is an integer from ${least} to ${most}, not ${value}`,
  );
}

function parseSubnet(text: string): Subnet {
  const subnet = Subnet.parse(text);
  if (subnet !== undefined) return subnet;
  throw new TunError(
    "BAD_OPTION",
    `"${text}" is not an address with a prefix, such as 10.7.0.1/24`,
  );
}
