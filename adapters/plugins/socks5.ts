/**
 * The `socks5` plugin, through the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../../core/api/plugin.ts";
import { type Socks5Options, socks5Through } from "../../plugins/socks5.ts";
import { hostNetwork } from "../host/network.ts";

/**
 * A SOCKS 5 proxy (RFC 1928): connects out through the host, or back into the stack.
 *
 * It supports `CONNECT` and `UDP ASSOCIATE` to IPv4 and IPv6 addresses and to names, which the host resolves. `BIND`
 * is answered with "command not supported". With `users`, clients have to authenticate (RFC 1929). Through the host, loopback,
 * link-local, multicast and metadata addresses are denied unless `allow` lists them; for a name, the address that is
 * checked is the one connected to. Half-closes and resets are relayed in both directions; a connection buffers at most
 * 64 KiB per direction.
 *
 * An association has a UDP port of the stack, for its client's address only, and one socket for each of at most 64 targets
 * (`udp.maxTargets`); while a socket is being opened, 16 datagrams wait for it, 64 in total. The association ends with the
 * client's connection; dropped datagrams, fragments included, are counted in a line of the log at level `debug`.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { echo, socks5 } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, echo());
 * server.use(1080, socks5({ via: "stack" }));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:1080", { allowHalfOpen: true });
 * const answer = new Uint8Array(12);
 * await socket.write(new Uint8Array([5, 1, 0])); // no authentication
 * await socket.write(new Uint8Array([5, 1, 0, 1, 10, 0, 0, 1, 0, 7])); // connect to 10.0.0.1:7
 * for (let at = 0; at < answer.length;) at += await socket.read(answer.subarray(at)) ?? answer.length;
 * if (answer[3] !== 0) throw new Error(`refused with ${answer[3]}`);
 * await socket.write(new TextEncoder().encode("ahoy"));
 * await socket.closeWrite();
 * const echoed = await new Response(socket.readable).text();
 * if (echoed !== "ahoy") throw new Error(echoed);
 * ```
 */
export const socks5: PluginFactory<Socks5Options> = socks5Through(hostNetwork);
