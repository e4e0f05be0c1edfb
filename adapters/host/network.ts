/**
 * The host's resolver and its TCP connections, for plugins that are proxies.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import type { HostNetwork } from "../../core/api/outbound.ts";
import { dialHost } from "./dial.ts";

/** Names as the host resolves them, `/etc/hosts` included; connections through its kernel. */
export const hostNetwork: HostNetwork = {
  async resolve(hostname) {
    const found = await lookup(hostname, { all: true, verbatim: true });
    return found.map(({ address }) => address);
  },
  dial: dialHost,
};
