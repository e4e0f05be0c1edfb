/**
 * Who may connect, by address.
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import type { Plugin } from "../../core/api/types.ts";
import { type SubnetSet, subnetSetSchema } from "../shared/subnet_set.ts";

/** What {@link allow} and {@link deny} have to be told. */
export interface AccessOptions {
  /** Addresses and subnets, IPv4 and IPv6: `"10.0.0.0/8"`, `"fd00::1"`. One at least. */
  from: readonly string[];
  /** What the others get: RST, for datagrams an ICMP error; or no answer at all. Default `"refuse"`. */
  verdict?: "refuse" | "ignore" | undefined;
}

/**
 * Lets in connections and flows from the addresses listed, and no others.
 *
 * It decides before the handshake: who is refused never has a connection. Datagrams of others are
 * answered by ICMP, as if nobody listened, or with `"ignore"` dropped in silence.
 *
 * @example
 * ```ts
 * import { allow, createStack, echo, linkPair } from "@berth/berth";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, allow({ from: ["10.0.0.0/8", "fd00::/8"], verdict: "ignore" }), echo());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using socket = client.connect("10.0.0.1:7");
 * await socket.opened; // 10.0.0.2 is one of them
 * ```
 */
export const allow: PluginFactory<AccessOptions> = access("allow", true);

/**
 * Turns away connections and flows from the addresses listed, and no others.
 *
 * It decides before the handshake: who is refused never has a connection. Datagrams of those listed
 * are answered by ICMP, as if nobody listened, or with `"ignore"` dropped in silence. Where lists
 * overlap the handlers' order does not matter: each of them has to let a connection in.
 *
 * @example
 * ```ts
 * import { createStack, deny, echo, linkPair } from "@berth/berth";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, deny({ from: ["10.0.0.2"] }), echo());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * const code = await client.connect("10.0.0.1:7").opened.catch((error) => error.code);
 * if (code !== "CONNECTION_REFUSED") throw new Error(`expected a refusal, got ${code}`);
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
    // Behind a proxy the client shows only now.
    handle: ({ socket }, next) =>
      isIn(socket.remoteAddr.hostname)
        ? next()
        : socket.abort(new Error("this client may not connect")),
    flow({ flow }, next) {
      if (isIn(flow.remoteAddr.hostname)) return next();
      if (verdict === "refuse") flow.refuse();
    },
  };
}
