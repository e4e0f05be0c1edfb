/**
 * The `egress` plugin, connected to the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../core/api/plugin.ts";
import { type EgressOptions, egressThrough } from "../plugins/egress.ts";
import { dialHostDatagrams } from "./host/datagrams.ts";
import { dialHost } from "./host/dial.ts";

/**
 * Leads TCP and UDP out through the host, to the address and port that each packet was going to.
 * With every address as its own the stack is the default route of a network namespace, which gets
 * out without NAT and without a privilege of its own.
 *
 * A target is connected to before the SYN is answered: one that refuses is a refused connection,
 * one that says nothing is answered by nothing. Half-closes and resets are carried. Loopback, link-local, multicast and metadata addresses are
 * denied unless `allow` names them; 16,384 connections and flows at once are the limit unless
 * `maxConnections` is another.
 *
 * @example
 * ```ts
 * import { createStack, egress, linkPair } from "@berth/berth";
 *
 * const [link] = linkPair();
 * const exceptAddresses = ["10.90.0.1", "fd90::1"]; // of those who want to get out
 * const addresses = ["0.0.0.0/0", "::/0"];
 * await using stack = createStack({ link, addresses, exceptAddresses });
 * stack.use(["*", "udp/*"], egress({ deny: ["10.0.0.0/8"], allow: ["10.1.2.3"] }));
 * ```
 */
export const egress: PluginFactory<EgressOptions> = egressThrough({
  dial: dialHost,
  dialDatagrams: dialHostDatagrams,
});
