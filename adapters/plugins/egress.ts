/**
 * The `egress` plugin, through the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../../core/api/plugin.ts";
import { type EgressOptions, egressThrough } from "../../plugins/egress.ts";
import { hostNetwork } from "../host/network.ts";

/**
 * Forwards TCP and UDP through the host, to the original destination of each connection and flow. With `0.0.0.0/0` as
 * an own address, the stack can be the default route of a network namespace, which then has access to other networks
 * without NAT and without privileges.
 *
 * It connects to the target before it answers the SYN: if the target refuses, the plugin refuses the connection; if
 * the target does not answer, the SYN is not answered. Half-closes and resets are relayed. Loopback, link-local,
 * multicast and metadata addresses are denied unless `allow` lists them. At most 16,384 connections and flows are
 * open at the same time (`maxConnections`).
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { egress } from "@berth/berth/plugins";
 * import { createServer } from "node:net";
 *
 * const host = createServer((socket) => void socket.end("from the host"));
 * await new Promise<void>((done) => host.listen(0, "127.0.0.1", done));
 * const { port } = host.address() as { port: number };
 *
 * const [here, there] = linkPair({ insideHost: true }); // carries loopback as well
 * await using stack = createStack({
 *   link: here,
 *   addresses: ["127.0.0.1/32", "0.0.0.0/0"], // loopback has to be listed
 *   exceptAddresses: ["10.0.0.2"], // the other side
 * });
 * stack.use(["*", "udp/*"], egress({ allow: ["127.0.0.1"] }));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * const socket = client.connect({ hostname: "127.0.0.1", port });
 * const text = await new Response(socket.readable).text();
 * if (text !== "from the host") throw new Error(text);
 * const denied = await client.connect("169.254.169.254:80").opened.catch((error) => error.code);
 * if (denied !== "CONNECTION_REFUSED") throw new Error(`expected a refusal, got ${denied}`);
 * host.close();
 * ```
 */
export const egress: PluginFactory<EgressOptions> = egressThrough(hostNetwork);
