/**
 * A DNS server.
 *
 * @module
 */
import { z } from "zod";
import { ipVersionOf } from "../core/api/addresses.ts";
import { type HostPort, parseHostPort } from "../core/api/host_port.ts";
import { count, milliseconds, wholeNumber } from "../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../core/api/plugin.ts";
import { type DnsRecords, Names } from "./dns/names.ts";
import { DnsServer } from "./dns/server.ts";
import { serveConnection, serveFlow } from "./dns/transports.ts";
import type { HostDialer } from "./shared/host_network.ts";

export type { DnsRecords };

/** Options of `dns`. */
export interface DnsOptions {
  /**
   * Names that the server answers for: an address, several, or records by type. `"*.example"` matches
   * every name below `example` that has no records of its own.
   */
  names?: Record<string, string | string[] | DnsRecords> | undefined;
  /** Zones: names in them that are not in `names` do not exist (NXDOMAIN). Default: none. */
  zones?: string[] | undefined;
  /** Servers that other queries are forwarded to, in this order: `"9.9.9.9"`, `"[::1]:5353"`. */
  upstreams?: string[] | undefined;
  /** TTL of answers, in seconds. Default 60. */
  ttl?: number | undefined;
  /** Timeout of each upstream, in milliseconds. Default 2000. */
  timeoutMs?: number | undefined;
  /** Maximum number of queries waiting for upstreams. Default 1000. */
  maxQueries?: number | undefined;
}

const address = z.string().refine(
  (text) => ipVersionOf(text) !== undefined,
  { error: ({ input }) => `expected an IP address, got ${JSON.stringify(input)}` },
);

const recordsSchema = z.union([
  address.transform((one) => ({ addresses: [one] })),
  z.array(address).transform((addresses) => ({ addresses })),
  z.strictObject({
    addresses: z.array(address).optional(),
    cname: z.string().optional(),
    txt: z.array(
      z.string().refine(
        (text) => new TextEncoder().encode(text).length <= 255,
        "expected text of at most 255 bytes",
      ),
    ).optional(),
  }),
], "expected an IP address, a list of them, or { addresses, cname, txt }");

const DNS_PORT = 53;

const upstreamSchema = z.string().transform((text, c): HostPort => {
  if (ipVersionOf(text) !== undefined) return { hostname: text, port: DNS_PORT };
  const server = parseHostPort(text);
  if (server && server.port > 0 && ipVersionOf(server.hostname) !== undefined) return server;
  c.addIssue(`expected ADDRESS or ADDRESS:PORT such as 9.9.9.9, got ${JSON.stringify(text)}`);
  return z.NEVER;
});

const optionsSchema = z.strictObject({
  names: z.record(z.string(), recordsSchema).default({}),
  zones: z.array(z.string()).default([]),
  upstreams: z.array(upstreamSchema).default([]),
  ttl: wholeNumber(0, 2 ** 31 - 1, "seconds").default(60),
  timeoutMs: milliseconds().default(2000),
  maxQueries: count().default(1000),
});

/** Makes the `dns` plugin, which reaches other servers through `host`. */
export function dnsThrough(host: HostDialer): PluginFactory<DnsOptions> {
  return definePlugin({
    name: "dns",
    options: optionsSchema,
    setup: ({ names, zones, ttl, ...rest }) => {
      const server = new DnsServer({ ...rest, host, names: new Names(names, zones, ttl) });
      return {
        handle: (c) => serveConnection(server, c),
        flow: (c) => serveFlow(server, c),
        dispose: () => server.dispose(),
      };
    },
  });
}
