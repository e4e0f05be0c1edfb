/**
 * The `connectProxy` plugin, through the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../../core/api/plugin.ts";
import { type ConnectProxyOptions, connectProxyThrough } from "../../plugins/connect_proxy.ts";
import { hostNetwork } from "../host/network.ts";

/**
 * An HTTP `CONNECT` proxy (RFC 9110 9.3.6): tunnels out through the host, or back into the stack.
 *
 * Other methods are answered with 405, denied targets with 403, failed connections with 502 or 504. With `users`,
 * clients have to authenticate (RFC 7617). Through the host, loopback, link-local, multicast and metadata addresses
 * are denied unless `allow` lists them; for a name, the address that is checked is the one connected to. Half-closes
 * and resets are relayed in both directions. A request's head may have at most 16 KiB; a connection buffers at most
 * 64 KiB per direction.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { connectProxy, echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, echo());
 * server.use(3128, connectProxy({ via: "stack" }));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:3128", { allowHalfOpen: true });
 * const request = "CONNECT 10.0.0.1:7 HTTP/1.1\r\nHost: 10.0.0.1:7\r\n\r\n";
 * await socket.write(new TextEncoder().encode(`${request}ahoy`));
 * await socket.closeWrite();
 * const text = await new Response(socket.readable).text();
 * if (!/^HTTP\/1.1 200 .*\r\n\r\nahoy$/.test(text)) throw new Error(text);
 * ```
 */
export const connectProxy: PluginFactory<ConnectProxyOptions> = connectProxyThrough(hostNetwork);
