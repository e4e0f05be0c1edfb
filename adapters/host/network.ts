/**
 * The host's network, for plugins.
 *
 * @module
 */
import { lookup } from "node:dns/promises";
import type { HostNetwork } from "../../plugins/shared/host_network.ts";
import { dialHostDatagrams } from "./datagrams.ts";
import { dialKernel } from "./connect.ts";
import { socketLimits } from "./socket_limits.ts";
import { routeIntoStack } from "./stack_routes.ts";

/** The host's resolver, `/etc/hosts` included, and the sockets of its kernel. */
export const hostNetwork: HostNetwork = {
  async resolve(hostname) {
    const found = await lookup(hostname, { all: true, verbatim: true });
    return found.map(({ address }) => address);
  },
  routeIntoStack,
  get limits() {
    return socketLimits();
  },
  dial: dialKernel,
  dialDatagrams: dialHostDatagrams,
};
