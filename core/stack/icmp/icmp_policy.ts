/**
 * Policy for ICMP replies and errors, with rate limits.
 *
 * @module
 */
import type { Subnet } from "../../wire/address.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import type { AnsweredHeader } from "../../wire/ip.ts";
import type { OwnAddresses } from "../ip/own_addresses.ts";
import { TokenBucket } from "../token_bucket.ts";

/** Policy for packets to some own addresses. */
export interface IcmpRule {
  /** The own addresses that the rule applies to; `undefined`: all. */
  readonly to: Subnet | undefined;
  /**
   * Whether echo requests are answered. `undefined`: yes, except for addresses whose traffic a
   * plugin forwards to other hosts; see {@link IcmpPolicy.disableEcho}.
   */
  readonly answersEcho: boolean | undefined;
  /** Whether errors are sent: port unreachable, protocol unreachable, reassembly timeout. */
  readonly sendsErrors: boolean;
  /** Rate and burst size of echo replies, and separately of errors. */
  readonly ratePerSecond: number;
}

/** RFC 4443 2.4 (f) requires a limit; this one is high enough to matter only in floods. */
export const DEFAULT_ICMP_RULE: IcmpRule = {
  to: undefined,
  answersEcho: undefined,
  sendsErrors: true,
  ratePerSecond: 1000,
};

interface LimitedRule {
  readonly rule: IcmpRule;
  readonly echo: TokenBucket;
  readonly errors: TokenBucket;
}

/** Rules by destination address; the longest prefix wins. */
export class IcmpPolicy {
  readonly #rules: readonly LimitedRule[];
  readonly #own: Pick<OwnAddresses, "hasHost">;
  /** Subnets whose addresses belong to other hosts; `undefined`: all addresses. */
  readonly #others: (Subnet | undefined)[] = [];

  constructor(
    rules: readonly IcmpRule[],
    own: Pick<OwnAddresses, "hasHost"> = { hasHost: () => false },
  ) {
    this.#own = own;
    const bitsOf = ({ to }: IcmpRule) => to?.bits ?? -1;
    this.#rules = [...rules, DEFAULT_ICMP_RULE].sort((a, b) => bitsOf(b) - bitsOf(a))
      .map((rule) => ({ rule, echo: limit(rule), errors: limit(rule) }));
  }

  /**
   * Stops answering echo requests by default for a subnet, or for all addresses, since the hosts
   * there may not exist.
   */
  disableEcho(subnet: Subnet | undefined): void {
    this.#others.push(subnet);
  }

  /** Undoes one {@link disableEcho} with the same subnet. */
  enableEcho(subnet: Subnet | undefined): void {
    const at = this.#others.indexOf(subnet);
    if (at >= 0) this.#others.splice(at, 1);
  }

  /**
   * Whether the address is this stack's own: an address that is only part of one of its networks may
   * belong to another host.
   */
  #isHere({ d0, d1, d2, d3 }: AnsweredHeader): boolean {
    return this.#own.hasHost(d0, d1, d2, d3) ||
      !this.#others.some((one) => one === undefined || one.containsWords(d0, d1, d2, d3));
  }

  /** The reason not to answer an echo request; `undefined` if it is to be answered. */
  refusalOfEcho(ip: AnsweredHeader, now: number): DropReason | undefined {
    const { rule, echo } = this.#of(ip);
    if (!(rule.answersEcho ?? this.#isHere(ip))) return "icmp-ignored";
    return echo.take(now) ? undefined : "icmp-rate";
  }

  /** Whether an error about this packet may be sent; takes a token of the rate limit. */
  maySendError(ip: AnsweredHeader, now: number): boolean {
    const { rule, errors } = this.#of(ip);
    return rule.sendsErrors && errors.take(now);
  }

  #of({ d0, d1, d2, d3 }: AnsweredHeader): LimitedRule {
    const matches = ({ rule }: LimitedRule) =>
      rule.to === undefined || rule.to.containsWords(d0, d1, d2, d3);
    // The last rule, the default, matches every address.
    return this.#rules.find(matches)!;
  }
}

function limit({ ratePerSecond }: IcmpRule): TokenBucket {
  return new TokenBucket(ratePerSecond, ratePerSecond, 0);
}
