/**
 * The `connectProxy` plugin, connected to the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../core/api/plugin.ts";
import { type ConnectProxyOptions, connectProxyThrough } from "../plugins/connect_proxy.ts";
import { hostNetwork } from "./host/network.ts";

/**
 * An HTTP `CONNECT` proxy (RFC 9110 9.3.6): tunnels out through the host, or back into the stack.
 *
 * Other methods are answered with 405, a target that may not be connected to with 403, one that cannot
 * be with 502 or 504. With `users`, clients have to show a password (RFC 7617). Through the host,
 * loopback, link-local, multicast and metadata addresses are denied unless `allow` names them; it is
 * what a name resolves to that is looked at and connected to. A half-close is carried both ways, a
 * reset too; a head has at most 16 KiB, a connection holds at most 64 KiB per direction.
 *
 * @example
 * ```ts
 * import { connectProxy } from "@berth/berth";
 *
 * connectProxy({ users: { anna: "secret" } }); // for stack.use(3128, connectProxy())
 * ```
 */
export const connectProxy: PluginFactory<ConnectProxyOptions> = connectProxyThrough(hostNetwork);
