/**
 * TUN devices: the kernel as the other side of the link.
 *
 * @module
 */
import type { Link } from "../../core/stack/link.ts";
import { openDevice } from "./device.ts";
import { TunLink } from "./link.ts";
import { untilLocal } from "./netlink.ts";
import { openHost } from "./open_host.ts";
import { parseTunOptions, type TunOptions } from "./options.ts";

export { TunError, type TunErrorCode } from "./error.ts";
export type { TunOptions } from "./options.ts";

/**
 * Creates a Linux TUN device, or attaches to one that is there, and brings it up. A device that
 * this created disappears when the link is closed or the process ends.
 *
 * @throws {TunError} It cannot be had; `code` and the message say why and what to do.
 *
 * @example
 * ```ts tun
 * import { createStack, http, openTun } from "@berth/berth";
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
export async function openTun(options: TunOptions = {}): Promise<Link> {
  const wanted = parseTunOptions(options);
  const host = await openHost();
  try {
    const link = TunLink.open(host, openDevice(host, wanted));
    for (const { address } of wanted.addresses) await untilLocal(host, address);
    return link;
  } catch (error) {
    host.close();
    throw error;
  }
}
