/**
 * TUN devices: the kernel as the other side of the link.
 *
 * @module
 */
import type { Link } from "../../core/stack/link.ts";
import { Subnet } from "../../core/wire/address.ts";
import { openDevice } from "./device.ts";
import { TunError } from "./error.ts";
import { IFNAMSIZ } from "./linux.ts";
import { TunLink } from "./link.ts";
import { untilLocal } from "./netlink.ts";
import { openHost } from "./open_host.ts";

export { TunError, type TunErrorCode } from "./error.ts";

/** What {@link openTun} takes. */
export interface TunOptions {
  /** The device's name; `%d` in it becomes the first free number. Default `"tun%d"`. */
  name?: string;
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
 * Creates a Linux TUN device, or attaches to one that is there, and brings it up. A device that
 * this created disappears when the link is closed or the process ends.
 *
 * @throws {TunError} It cannot be had; `code` and the message say why and what to do.
 *
 * @example
 * ```ts no_run
 * import { openTun } from "@berth/berth";
 *
 * await using link = await openTun({ name: "tun0", addresses: ["10.7.0.1/24", "fd07::1/64"] });
 * console.log(link.name, link.features.mtu);
 * ```
 */
export async function openTun(options: TunOptions = {}): Promise<Link> {
  const { name = "tun%d", mtu, queueLength, offload = true } = options;
  checkName(name);
  checkRange("mtu", mtu, 68, 65_535);
  checkRange("queueLength", queueLength, 1, 1_000_000);
  const addresses = (options.addresses ?? []).map(parseSubnet);
  const host = await openHost();
  try {
    const device = openDevice(host, { name, addresses, mtu, queueLength, offload });
    const link = TunLink.open(host, device);
    for (const { address } of addresses) await untilLocal(host, address);
    return link;
  } catch (error) {
    host.close();
    throw error;
  }
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
