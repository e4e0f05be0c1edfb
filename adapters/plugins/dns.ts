/**
 * The `dns` plugin, connected to the host's kernel.
 *
 * @module
 */
import type { PluginFactory } from "../../core/api/plugin.ts";
import { type DnsOptions, dnsThrough } from "../../plugins/dns.ts";
import { hostNetwork } from "../host/network.ts";

/**
 * A name server for names of its own; asks others for the rest (RFC 1035).
 *
 * Over UDP and TCP (RFC 7766), with EDNS (RFC 6891): A, AAAA, CNAME and TXT, wildcards. What it does
 * not know it refuses, or forwards to `upstreams`, over TCP where an answer does not fit. It caches
 * nothing; at most `maxQueries` wait for upstreams, and 64 queries of one connection are answered at
 * a time. Replies over UDP have at most 1232 bytes, or as few as the client takes.
 *
 * @example
 * ```ts
 * import { createStack, dns, linkPair } from "@berth/berth";
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
