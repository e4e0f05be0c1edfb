/**
 * Who may connect, by address.
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import { type SubnetSet, subnetSetSchema } from "../../core/api/subnet_set.ts";
import type { Plugin } from "../../core/api/types.ts";

/** What {@link allow} and {@link deny} have to be told. */
export interface AccessOptions {
  /** Addresses and subnets, IPv4 and IPv6: `"10.0.0.0/8"`, `"fd00::1"`. One at least. */
  from: readonly string[];
  /** What the others get: RST, or no answer at all. Default `"refuse"`. */
  verdict?: "refuse" | "ignore" | undefined;
}

/**
 * Lets in connections and flows from the addresses listed, and no others.
 *
 * It decides before the handshake: who is refused never has a connection. Datagrams of others are
 * dropped in silence.
 *
 * @example
 * ```ts
 * import { allow } from "@berth/berth";
 *
 * // For stack.use(22, allow({ ... }), forward({ to: "127.0.0.1:22" })).
 * allow({ from: ["10.0.0.0/8", "fd00::/8"], verdict: "ignore" }).name; // "allow"
 * ```
 */
export const allow: PluginFactory<AccessOptions> = access("allow", true);

/**
 * Turns away connections and flows from the addresses listed, and no others.
 *
 * It decides before the handshake: who is refused never has a connection. Datagrams of those listed
 * are dropped in silence. Where lists overlap the handlers' order does not matter: each of them has
 * to let a connection in.
 *
 * @example
 * ```ts
 * import { deny } from "@berth/berth";
 *
 * // For stack.use(80, deny({ ... }), http(app)).
 * deny({ from: ["192.0.2.0/24"] }).name; // "deny"
 * ```
 */
export const deny: PluginFactory<AccessOptions> = access("deny", false);

function access(name: string, listedAreIn: boolean): PluginFactory<AccessOptions> {
  return definePlugin({
    name,
    options: z.strictObject({
      from: subnetSetSchema,
      verdict: z.enum(["refuse", "ignore"]).default("refuse"),
    }),
    setup: ({ from, verdict }) => decider(from, listedAreIn, verdict),
  });
}

function decider(
  listed: SubnetSet,
  listedAreIn: boolean,
  verdict: "refuse" | "ignore",
): Omit<Plugin, "name"> {
  const isIn = (hostname: string) => listed.has(hostname) === listedAreIn;
  return {
    onSyn: ({ remote }) => isIn(remote.hostname) ? undefined : verdict,
    flow: ({ flow }, next) => isIn(flow.remoteAddr.hostname) ? next() : undefined,
  };
}
