/**
 * The `dns` plugin, through the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../../core/api/plugin.ts";
import { type DnsOptions, dnsThrough } from "../../plugins/dns.ts";
import { hostNetwork } from "../host/network.ts";

/**
 * A name server for its own names, which forwards other queries (RFC 1035).
 *
 * It serves A, AAAA, CNAME and TXT records and wildcards, over UDP and TCP (RFC 7766), with EDNS (RFC 6891). Other
 * queries are refused, or forwarded to `upstreams`, over TCP if an answer is truncated. There is no cache; at most `maxQueries` wait for
 * upstreams, and at most 64 queries of one connection are answered at the same time. Replies over UDP are at most 1232
 * bytes long, or as long as the client accepts if that is less.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { dns } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * const names = { "db.lan": ["10.7.0.3", "fd07::3"], "*.app.lan": "10.7.0.4" };
 * server.use([53, "udp/53"], dns({ names, zones: ["lan"], upstreams: ["9.9.9.9"] }));
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * const question = "0007 0100 0001 0000 0000 0000 02 6462 03 6c616e 00 0001 0001"; // db.lan A?
 * using socket = client.listenDatagram({ port: 0 });
 * const to = { transport: "udp", hostname: "10.0.0.1", port: 53 } as const;
 * await socket.send(Uint8Array.fromHex(question.replaceAll(" ", "")), to);
 * const [answer] = await socket.receive();
 * if (answer.subarray(-4).join(".") !== "10.7.0.3") throw new Error(answer.toHex());
 * ```
 */
export const dns: PluginFactory<DnsOptions> = dnsThrough(hostNetwork);
