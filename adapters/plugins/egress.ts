/**
 * The `egress` plugin, connected to the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../../core/api/plugin.ts";
import { type EgressOptions, egressThrough } from "../../plugins/egress.ts";
import { hostNetwork } from "../host/network.ts";

/**
 * Leads TCP and UDP out through the host, to the address and port that each packet was going to.
 * With every address as its own the stack is the default route of a network namespace, which gets
 * out without NAT and without a privilege of its own.
 *
 * A target is connected to before the SYN is answered: one that refuses is a refused connection,
 * one that says nothing is answered by nothing. Half-closes and resets are carried. Loopback,
 * link-local, multicast and metadata addresses are denied unless `allow` names them; 16,384
 * connections and flows at once are the limit unless `maxConnections` is another.
 *
 * @example
 * ```ts
 * import { createStack, egress, linkPair } from "@berth/berth";
 * import { createServer } from "node:net";
 *
 * const host = createServer((socket) => void socket.end("from the host"));
 * await new Promise<void>((done) => host.listen(0, "127.0.0.1", done));
 * const { port } = host.address() as { port: number };
 *
 * const [here, there] = linkPair({ insideHost: true }); // carries loopback as well
 * await using stack = createStack({
 *   link: here,
 *   addresses: ["127.0.0.1/32", "0.0.0.0/0"], // loopback only where it is named
 *   exceptAddresses: ["10.0.0.2"], // the other side
 * });
 * stack.use(["*", "udp/*"], egress({ allow: ["127.0.0.1"] }));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * const socket = client.connect({ hostname: "127.0.0.1", port });
 * const said = await new Response(socket.readable).text();
 * if (said !== "from the host") throw new Error(said);
 * const denied = await client.connect("169.254.169.254:80").opened.catch((error) => error.code);
 * if (denied !== "CONNECTION_REFUSED") throw new Error(`expected a refusal, got ${denied}`);
 * host.close();
 * ```
 */
export const egress: PluginFactory<EgressOptions> = egressThrough(hostNetwork);
