/**
 * Access control by client address.
 *
 * @module
 */
import { z } from "zod";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import type { Plugin } from "../../core/api/types.ts";
import { type SubnetSet, subnetSetSchema } from "../shared/subnet_set.ts";

/** Options of {@link allow} and {@link deny}. */
export interface AccessOptions {
  /** Addresses and subnets, IPv4 and IPv6: `"10.0.0.0/8"`, `"fd00::1"`. At least one. */
  from: readonly string[];
  /**
   * How clients are denied: `"refuse"` sends a RST or an ICMP error, `"ignore"` nothing. Default
   * `"refuse"`.
   */
  verdict?: "refuse" | "ignore" | undefined;
}

/**
 * Allows connections and flows from the listed addresses only.
 *
 * It decides before the handshake, so a denied client never has a connection. Datagrams from other
 * addresses are answered with an ICMP port unreachable error, or silently dropped with `"ignore"`.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { allow } from "@berth/berth/middleware";
 * import { echo } from "@berth/berth/plugins";
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
 * Denies connections and flows from the listed addresses only.
 *
 * It decides before the handshake, so a denied client never has a connection. Datagrams from listed
 * addresses are answered with an ICMP port unreachable error, or silently dropped with `"ignore"`. If a chain
 * has several plugins of this kind, their order does not matter: each has to allow a connection.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { deny } from "@berth/berth/middleware";
 * import { echo } from "@berth/berth/plugins";
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
    // Behind proxyProtocol the client's address is known only now.
    handle: ({ socket }, next) =>
      isIn(socket.remoteAddr.hostname)
        ? next()
        : socket.abort(new Error("connections from this client are denied")),
    freeze: () => null,
    // The stack where the connection began allowed the client.
    thaw: (_c, _state, next) => next(),
    flow({ flow }, next) {
      if (isIn(flow.remoteAddr.hostname)) return next();
      if (verdict === "refuse") flow.refuse();
    },
  };
}
