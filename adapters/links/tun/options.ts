import { Subnet } from "../../../core/wire/address.ts";
import type { DeviceOptions } from "./device.ts";
import { TunError } from "./error.ts";
import { IFNAMSIZ } from "./linux.ts";

/** Options of {@link openTun} and {@link openTap}. */
export interface TunOptions {
  /**
   * The device's name; `%d` is replaced by the first free number. Default `"tun%d"` or `"tap%d"`.
   */
  name?: string;
  /**
   * An inherited descriptor of a device that systemd or a privileged helper has opened; this
   * process needs no privilege then. It is closed with the link. Name, addresses and queue length
   * are set by its creator. `mtu` must be the device's; default that of the device with this name
   * in this process's network namespace, or 1500.
   */
  fd?: number;
  /** The kernel's addresses on this device in CIDR notation, such as `"10.7.0.1/24"`. */
  addresses?: readonly string[];
  /**
   * MTU in bytes, 68 to 65535, at least 1280 for IPv6. Default 1500, or unchanged on an existing
   * device.
   */
  mtu?: number;
  /**
   * Whether segmentation and checksums are left to the kernel, if it supports that. Default true.
   */
  offload?: boolean;
  /**
   * Maximum number of packets that the kernel queues for this program. Default 5000, or unchanged
   * on an existing device.
   */
  queueLength?: number;
}

/**
 * Validates the options.
 *
 * @throws {TunError} An option is invalid.
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
 * Validates `fd` and the absence of options that it excludes.
 *
 * @throws {TunError} An option is invalid.
 */
export function parseFd(options: TunOptions): number | undefined {
  const { fd, name, addresses = [], queueLength } = options;
  if (fd === undefined) return undefined;
  checkRange("fd", fd, 0, 2 ** 31 - 1);
  if (name === undefined && addresses.length === 0 && queueLength === undefined) return fd;
  throw new TunError(
    "BAD_OPTION",
    "fd names an existing device: its creator sets name, addresses and queueLength",
  );
}

function checkName(name: string): void {
  const isValid = /^[\w.-]*(%d[\w.-]*)?$/.test(name) && !/^\.{0,2}$/.test(name) &&
    name.length < IFNAMSIZ;
  if (isValid) return;
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
    `${option} must be an integer from ${least} to ${most}, not ${value}`,
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
