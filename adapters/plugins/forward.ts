/**
 * The `forward` plugin, through the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../../core/api/plugin.ts";
import { type ForwardOptions, forwardThrough } from "../../plugins/forward.ts";
import { hostNetwork } from "../host/network.ts";

/**
 * Forwards a port to TCP, Unix or UDP sockets of the host, or of other hosts. It connects to a TCP target before it
 * answers the SYN; if that fails, it tries the next target, and refuses the connection when all have failed. Half-closes
 * and resets are relayed in both directions, except that a reset becomes an end of file on a Unix socket.
 *
 * On a UDP port, such as `udp/53`, each flow has its own UDP socket of the host until it is idle.
 *
 * A target that fails several times in a row is not used until it is up again.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { forward } from "@berth/berth/plugins";
 * import { createServer } from "node:net";
 *
 * const host = createServer((socket) => void socket.end("from the host"));
 * await new Promise<void>((done) => host.listen(0, "127.0.0.1", done));
 * const { port } = host.address() as { port: number };
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(
 *   80,
 *   forward({
 *     to: ["unix:/nowhere.sock", `127.0.0.1:${port}`], // the first one that accepts
 *     balance: "least-connections",
 *     maxConnections: 100,
 *     idleTimeoutMs: 60_000,
 *   }),
 * );
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:80");
 * const text = await new Response(socket.readable).text();
 * host.close();
 * if (text !== "from the host") throw new Error(text);
 * ```
 */
export const forward: PluginFactory<ForwardOptions> = forwardThrough(hostNetwork);
