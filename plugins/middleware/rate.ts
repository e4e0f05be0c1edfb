/**
 * Limits of new connections per second.
 *
 * @module
 */
import { z } from "zod";
import { count, perSecond } from "../../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import { networkKey, type PrefixLengths, prefixLengthsShape } from "../shared/subnet_set.ts";
import { TokenBuckets } from "../shared/token_buckets.ts";

/** Options of {@link rate}: at least one of `perSecond` and `perAddress`. */
export interface RateOptions extends PrefixLengths {
  /** New connections or flows per second in total. */
  perSecond?: number | undefined;
  /** New connections or flows per second from each address, or each network of `v4Prefix` or `v6Prefix` bits. */
  perAddress?: number | undefined;
  /** Burst size in total. Default: the connections of one second. */
  burst?: number | undefined;
  /** Burst size of each address. Default: the connections of one second. */
  burstPerAddress?: number | undefined;
  /**
   * Maximum number of addresses remembered; beyond that the least recently seen is forgotten.
   * Default 65,536.
   */
  maxAddresses?: number | undefined;
  /**
   * How a SYN over the limit is answered: with a RST, or not at all, so that the client retransmits
   * it.
   */
  verdict?: "refuse" | "ignore" | undefined;
}

/** The lowest rate is one per 1000 seconds. */
const eachSecond = perSecond(0.001).optional();

/**
 * Limits the number of new connections per second, in total and from each address.
 *
 * It decides before the handshake, and counts completed handshakes, so that forged SYNs do not count. If
 * several handshakes complete at the same time, those over the limit are reset. Connections refused for
 * `perAddress` do not count against `perSecond`. The first datagrams of flows over the limit are dropped.
 *
 * @example
 * ```ts
 * import { createStack } from "@berth/berth";
 * import { linkPair } from "@berth/berth/links";
 * import { rate } from "@berth/berth/middleware";
 * import { echo } from "@berth/berth/plugins";
 *
 * const [here, there] = linkPair();
 * await using server = createStack({ link: here, addresses: ["10.0.0.1/24"] });
 * server.use(7, rate({ perSecond: 500, perAddress: 1, burstPerAddress: 1 }), echo());
 *
 * await using client = createStack({ link: there, addresses: ["10.0.0.2/24"] });
 * await using first = client.connect("10.0.0.1:7");
 * await first.write(new Uint8Array([1]));
 * await first.read(new Uint8Array(1)); // it is served
 * const code = await client.connect("10.0.0.1:7").opened.catch((error) => error.code);
 * if (code !== "CONNECTION_REFUSED") throw new Error(`expected a refusal, got ${code}`);
 * ```
 */
export const rate: PluginFactory<RateOptions> = definePlugin({
  name: "rate",
  options: z.strictObject({
    perSecond: eachSecond,
    perAddress: eachSecond,
    burst: count().optional(),
    burstPerAddress: count().optional(),
    maxAddresses: count().default(65_536),
    verdict: z.enum(["refuse", "ignore"]).default("refuse"),
    ...prefixLengthsShape,
  }).refine(
    ({ perSecond, perAddress }) => perSecond !== undefined || perAddress !== undefined,
    "expected at least one of perSecond and perAddress",
  ),
  setup: ({ perSecond, perAddress, burst, burstPerAddress, maxAddresses, verdict, ...lengths }) => {
    const each = bucketsOf(perAddress, burstPerAddress, maxAddresses);
    const all = bucketsOf(perSecond, burst, 1);
    const mayBegin = (key: string, now: number) =>
      (each?.has(key, now) ?? true) && (all?.has("", now) ?? true);
    const begin = (key: string, now: number) =>
      (each?.take(key, now) ?? true) && (all?.take("", now) ?? true);
    return {
      onSyn: ({ remote }, { clock }) =>
        mayBegin(networkKey(remote.hostname, lengths), clock.now()) ? undefined : verdict,
      handle: ({ socket, clock }, next) =>
        begin(networkKey(socket.remoteAddr.hostname, lengths), clock.now())
          ? next()
          : socket.abort(new Error("too many new connections")),
      flow: ({ flow, clock }, next) =>
        begin(networkKey(flow.remoteAddr.hostname, lengths), clock.now()) ? next() : undefined,
    };
  },
});

function bucketsOf(
  perSecond: number | undefined,
  burst: number | undefined,
  most: number,
): TokenBuckets | undefined {
  if (perSecond === undefined) return undefined;
  return new TokenBuckets(perSecond, burst ?? Math.max(1, perSecond), most);
}
