/**
 * What is answered by ICMP, and how often.
 *
 * @module
 */
import type { Subnet } from "../../wire/address.ts";
import type { DropReason } from "../../wire/drop_reason.ts";
import type { AnsweredHeader } from "../../wire/ip.ts";
import type { OwnAddresses } from "../ip/own_addresses.ts";
import { TokenBucket } from "../token_bucket.ts";

/** How the packets to some own addresses are answered. */
export interface IcmpRule {
  /** These own addresses; `undefined`: all. */
  readonly to: Subnet | undefined;
  /**
   * Echo requests are answered; `undefined`: but not for other hosts, whose addresses are own ones
   * only because somebody leads their traffic on, see {@link IcmpPolicy.leaveEcho}.
   */
  readonly answersEcho: boolean | undefined;
  /** Errors are sent: nobody listens, the protocol is not spoken, a fragment is missing. */
  readonly sendsErrors: boolean;
  /** Echo replies and, apart from these, errors per second, and at once. */
  readonly ratePerSecond: number;
}

/** RFC 4443 2.4 (f) wants a limit; this one is for floods alone. */
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

/** Rules by the address that a packet was sent to; the longest prefix is meant. */
export class IcmpPolicy {
  readonly #rules: readonly LimitedRule[];
  readonly #own: Pick<OwnAddresses, "hasHost">;
  /** Where other hosts are; `undefined` among them: everywhere. */
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

  /** Echo requests to addresses in a subnet, or to any, are for hosts that may not be there. */
  leaveEcho(subnet: Subnet | undefined): void {
    this.#others.push(subnet);
  }

  /** A single address is this stack's, one of a network may be another host's. */
  #isHere({ d0, d1, d2, d3 }: AnsweredHeader): boolean {
    return this.#own.hasHost(d0, d1, d2, d3) ||
      !this.#others.some((one) => one === undefined || one.containsWords(d0, d1, d2, d3));
  }

  /** Why an echo request is not answered; `undefined`: it is. */
  refusalOfEcho(ip: AnsweredHeader, now: number): DropReason | undefined {
    const { rule, echo } = this.#of(ip);
    if (!(rule.answersEcho ?? this.#isHere(ip))) return "icmp-ignored";
    return echo.take(now) ? undefined : "icmp-rate";
  }

  /** Whether an error about this packet may be sent. */
  maySendError(ip: AnsweredHeader, now: number): boolean {
    const { rule, errors } = this.#of(ip);
    return rule.sendsErrors && errors.take(now);
  }

  #of({ d0, d1, d2, d3 }: AnsweredHeader): LimitedRule {
    const isMeant = ({ rule }: LimitedRule) =>
      rule.to === undefined || rule.to.containsWords(d0, d1, d2, d3);
    // The last one is about every address.
    return this.#rules.find(isMeant)!;
  }
}

function limit({ ratePerSecond }: IcmpRule): TokenBucket {
  return new TokenBucket(ratePerSecond, ratePerSecond, 0);
}
