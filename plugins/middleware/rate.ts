/**
 * How many connections may begin in a time.
 *
 * @module
 */
import { z } from "zod";
import { count, perSecond } from "../../core/api/numbers.ts";
import { definePlugin, type PluginFactory } from "../../core/api/plugin.ts";
import { networkKey, type PrefixLengths, prefixLengthsShape } from "../shared/subnet_set.ts";
import { TokenBuckets } from "../shared/token_buckets.ts";

/** Options of {@link rate}: `perSecond` or `perAddress` at least. */
export interface RateOptions extends PrefixLengths {
  /** New connections, or flows of datagrams, per second from everybody together. */
  perSecond?: number | undefined;
  /** New ones per second from one address, or one network of `v4Prefix` or `v6Prefix` bits. */
  perAddress?: number | undefined;
  /** How many may begin at once after a pause, from everybody. Default: those of one second. */
  burst?: number | undefined;
  /** The same from one address. */
  burstPerAddress?: number | undefined;
  /** Addresses that are remembered; beyond that the one longest unseen is forgotten. Default 65,536. */
  maxAddresses?: number | undefined;
  /** What a SYN gets that comes too early: RST, or no answer, so that it is tried again. */
  verdict?: "refuse" | "ignore" | undefined;
}

/** One in a quarter of an hour is the slowest. */
const eachSecond = perSecond(0.001).optional();

/**
 * Limits how many connections begin per second, in all and from each address.
 *
 * It decides before the handshake, and counts the handshakes that were finished: a forged SYN is on
 * nobody's account. Of several handshakes at once those that are too many are reset. An address that
 * has gone too far does not use up what all have together. The first datagrams of flows that are too
 * many are dropped.
 *
 * @example
 * ```ts
 * import { createStack, echo, linkPair, rate } from "@berth/berth";
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
    "expected perSecond or perAddress",
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
