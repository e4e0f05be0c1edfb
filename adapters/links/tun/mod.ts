/**
 * TUN and TAP devices: links to the host's kernel.
 *
 * @module
 */
import type { Link } from "../../../core/stack/link.ts";
import { ETHERNET_HEADER } from "../../../core/wire/ethernet.ts";
import type { FramePort } from "../ethernet/frame_port.ts";
import { type Device, indexOf, isPersistent, openDevice } from "./device.ts";
import type { LibcHost } from "../../runtime/libc/host.ts";
import { inheritDevice, reuseQueues } from "./inherited.ts";
import { TunLink } from "./link.ts";
import { untilLocal } from "./netlink.ts";
import { openHost } from "./open_host.ts";
import { parseFd, parseTunOptions, type TunOptions } from "./options.ts";
import { ReceivePacketSteering } from "./receive_packet_steering.ts";

export { TunError, type TunErrorCode } from "./error.ts";
export type { TunOptions } from "./options.ts";

/**
 * Creates a Linux TUN device, or attaches to an existing one, and brings it up. A device created
 * here disappears when the link is closed or the process ends. With `fd`, the device is one that
 * another process has opened.
 *
 * @throws {TunError} The device cannot be opened; `code` and the message say why and what to do.
 *
 * @example
 * ```ts tun
 * import { createStack } from "@berth/berth";
 * import { openTun } from "@berth/berth/links";
 * import { http } from "@berth/berth/plugins";
 * import { Hono } from "hono";
 *
 * const link = await openTun({ name: "berth0", addresses: ["10.7.0.1/24"] });
 * await using stack = createStack({ link, addresses: ["10.7.0.2/24"] });
 * stack.use(80, http(new Hono().get("/", (c) => c.text("ahoy"))));
 *
 * const response = await fetch("http://10.7.0.2/"); // as any program of this machine can
 * if (await response.text() !== "ahoy") throw new Error("not what was sent");
 * ```
 */
export function openTun(options: TunOptions = {}): Promise<Link> {
  return open(options, 0);
}

/**
 * Creates a Linux TAP device, or attaches to an existing one, and brings it up: an Ethernet
 * interface of the kernel whose frames this port sends and receives. With `ethernet()` it is a
 * link; added to a bridge of the kernel, it reaches the bridge's other stations. Segmentation and
 * checksums are left to the kernel as on a TUN device. A device created here disappears when the
 * port is closed or the process ends.
 *
 * @throws {TunError} The device cannot be opened; `code` and the message say why and what to do.
 *
 * @example
 * ```ts tun
 * import { createStack } from "@berth/berth";
 * import { ethernet, openTap } from "@berth/berth/links";
 * import { http } from "@berth/berth/plugins";
 * import { Hono } from "hono";
 *
 * const port = await openTap({ name: "berth0", addresses: ["10.7.0.1/24"] });
 * const addresses = ["10.7.0.2/24"];
 * const link = ethernet(port, { addresses });
 * await using stack = createStack({ link, addresses });
 * stack.use(80, http(new Hono().get("/", (c) => c.text("ahoy"))));
 * const duplicates = await link.probed(); // a few seconds: does another station have the address?
 * if (duplicates.length > 0) throw new Error("10.7.0.2 is in use");
 *
 * const response = await fetch("http://10.7.0.2/"); // as any program of this machine can
 * if (await response.text() !== "ahoy") throw new Error("not what was sent");
 * ```
 */
export function openTap(options: TunOptions = {}): Promise<FramePort> {
  return open(options, ETHERNET_HEADER);
}

/** The file in `/sys` that a link writes under load, for Receive Packet Steering; `undefined` if it writes none. */
export function steeringFileOf(link: Link | FramePort): string | undefined {
  return link instanceof TunLink ? link.steeringFile : undefined;
}

/**
 * Receive Packet Steering for a device. It is not used without offload, because more packets would overflow the
 * queues of other processors, nor on a persistent device, because that would keep the setting of a process that was
 * killed.
 */
function steeringOf(
  host: LibcHost,
  { fd, name, offload }: Device,
): ReceivePacketSteering | undefined {
  if (!offload || isPersistent(host, fd)) return undefined;
  return ReceivePacketSteering.open(name, indexOf(host, name), {
    currentProcessor: () => host.libc.sched_getcpu(),
    mayUse: host.mayUse,
    devices: "/sys/class/net",
    status: "/proc/self/status",
  });
}

/** A link on a device that another process has opened; it is closed with the link. */
export function takeOverDevice(device: Device): Link {
  const host = openHost();
  try {
    return TunLink.open(host, device, steeringOf(host, device));
  } catch (error) {
    host.close();
    throw error;
  }
}

/**
 * {@link openTun} for a device that has been kept open since an earlier start.
 *
 * @throws {TunError} The descriptor is not a TUN device, or the device cannot be configured.
 */
export function openKeptTun(descriptor: number, options: TunOptions): Promise<Link> {
  return open(options, 0, [descriptor]);
}

async function open(
  options: TunOptions,
  frameHeader: number,
  kept: readonly number[] = [],
): Promise<TunLink> {
  const fd = parseFd(options);
  const wanted = parseTunOptions(options, frameHeader);
  const host = openHost();
  try {
    if (fd !== undefined) return TunLink.open(host, inheritDevice(host, fd, wanted));
    const device = kept.length > 0 ? reuseQueues(host, wanted, kept)[0]! : openDevice(host, wanted);
    const link = TunLink.open(host, device, steeringOf(host, device));
    for (const { address } of wanted.addresses) await untilLocal(host, address);
    return link;
  } catch (error) {
    host.close();
    throw error;
  }
}
