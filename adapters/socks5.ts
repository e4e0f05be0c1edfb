/**
 * The `socks5` plugin, connected to the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../core/api/plugin.ts";
import { type Socks5Options, socks5Through } from "../plugins/socks5.ts";
import { hostNetwork } from "./host/network.ts";

/**
 * A SOCKS 5 proxy (RFC 1928): connects out through the host, or back into the stack.
 *
 * `CONNECT` to IPv4, IPv6 and names, which the host resolves; `BIND` and `UDP ASSOCIATE` are answered
 * with "command not supported". With `users`, clients have to show a password (RFC 1929). Through the
 * host, loopback, link-local, multicast and metadata addresses are denied unless `allow` names them;
 * it is what a name resolves to that is looked at and connected to. A half-close is carried both
 * ways, a reset too; a connection holds at most 64 KiB per direction.
 *
 * @example
 * ```ts
 * import { socks5 } from "@berth/berth";
 *
 * socks5({ users: { anna: "secret" }, allow: ["127.0.0.1"] }); // for stack.use(1080, socks5())
 * ```
 */
export const socks5: PluginFactory<Socks5Options> = socks5Through(hostNetwork);
