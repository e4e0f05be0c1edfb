/**
 * The `forward` plugin, connected to the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../core/api/plugin.ts";
import { type ForwardOptions, forwardThrough } from "../plugins/forward.ts";
import { dialHostDatagrams } from "./host/datagrams.ts";
import { dialHost } from "./host/dial.ts";

/**
 * Forwards a port to TCP, Unix or UDP sockets of the host, or of what it reaches. A TCP target is connected to before
 * the SYN is answered; where it cannot be the next one is tried, and when none can be the
 * connection is refused. A half-close is carried in both directions, a reset too, except into a
 * Unix socket, which knows none: there the other side reads an end.
 *
 * On a UDP port, `udp/53`, each flow has a UDP socket of the host for itself until it is idle.
 *
 * A target that fails several times in a row is left out until it is back.
 *
 * @example
 * ```ts
 * import { createStack, forward, linkPair } from "@berth/berth";
 *
 * const [link] = linkPair();
 * await using stack = createStack({ link, addresses: ["10.0.0.1/24"] });
 * stack.use(8080, forward({ to: "127.0.0.1:3000" }));
 * stack.use(
 *   80,
 *   forward({
 *     to: ["10.1.0.1:80", "10.1.0.2:80", "unix:/run/app.sock"],
 *     balance: "least-connections",
 *     maxConnections: 100,
 *     idleTimeoutMs: 60_000,
 *     healthCheck: { intervalMs: 2000 },
 *   }),
 * );
 * ```
 */
export const forward: PluginFactory<ForwardOptions> = forwardThrough({
  dial: dialHost,
  dialDatagrams: dialHostDatagrams,
});
