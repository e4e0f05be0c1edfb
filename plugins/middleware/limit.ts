/**
 * Limits of concurrent connections.
 *
 * @module
 */
import { z } from "zod";
import { count } from "../../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import { networkKey, type PrefixLengths, prefixLengthsShape } from "../shared/subnet_set.ts";

/** Options of {@link limit}. */
export interface LimitOptions extends PrefixLengths {
  /** Maximum number of concurrent connections or flows. Default: the stack's limit. */
  connections?: number | undefined;
  /** Maximum number per address, or per network of `v4Prefix` or `v6Prefix` bits. */
  perAddress?: number | undefined;
  /**
   * How a SYN over the limit is answered: with a RST, or not at all, so that the client retransmits
   * it.
   */
  verdict?: "refuse" | "ignore" | undefined;
}

const atMost = count().default(Infinity);

/**
 * Limits the number of concurrent connections, in total and from each address.
 *
 * It decides before the handshake, and counts connections from the end of the handshake, so that forged
 * SYNs do not count. If several handshakes complete at the same time, those over the limit are reset. It
 * keeps one counter for each address that has a connection. The first datagrams of flows over the limit are
 * dropped.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { limit } from "@berth/berth/middleware";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, limit({ connections: 1000, perAddress: 1 }), echo());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using first = client.connect("10.0.0.1:7");
 * await first.write(new Uint8Array([1]));
 * await first.read(new Uint8Array(1)); // it is served
 * const code = await client.connect("10.0.0.1:7").opened.catch((error) => error.code);
 * if (code !== "CONNECTION_REFUSED") throw new Error(`expected a refusal, got ${code}`);
 * ```
 */
export const limit: PluginFactory<LimitOptions> = definePlugin({
  name: "limit",
  options: z.strictObject({
    connections: atMost,
    perAddress: atMost,
    verdict: z.enum(["refuse", "ignore"]).default("refuse"),
    ...prefixLengthsShape,
  }),
  setup: ({ connections, perAddress, verdict, ...lengths }) => {
    const counts = new Map<string, number>();
    let total = 0;
    const keyOf = (hostname: string) => networkKey(hostname, lengths);
    const isFull = (key: string) => total >= connections || (counts.get(key) ?? 0) >= perAddress;
    /** Counts a connection; returns the function that ends its count. */
    const enter = (key: string, isMoved = false): (() => void) | undefined => {
      if (!isMoved && isFull(key)) return undefined;
      counts.set(key, (counts.get(key) ?? 0) + 1);
      total++;
      return () => {
        total--;
        const left = counts.get(key)! - 1;
        if (left === 0) counts.delete(key);
        else counts.set(key, left);
      };
    };
    return {
      onSyn: ({ remote }) => isFull(keyOf(remote.hostname)) ? verdict : undefined,
      handle({ socket }, next) {
        const leave = enter(keyOf(socket.remoteAddr.hostname));
        if (leave === undefined) return socket.abort(new Error("too many connections"));
        socket.closed.catch(() => {}).finally(leave);
        return next();
      },
      freeze: () => null,
      // The stack where the connection began admitted it, so it counts but is not refused.
      thaw({ socket }, _state, next) {
        const leave = enter(keyOf(socket.remoteAddr.hostname), true)!;
        socket.closed.catch(() => {}).finally(leave);
        return next();
      },
      async flow({ flow }, next) {
        const leave = enter(keyOf(flow.remoteAddr.hostname));
        if (leave !== undefined) await next().finally(leave);
      },
    };
  },
});
